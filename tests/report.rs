//! A sweep, recorded and reported: the page in a real browser, on a screen, on a phone, and on paper.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::{Workplace, chromium, one_at_a_time, run, workspace};
use serde_json::{Value, json};

/// The widths of screens in pixels, and how wide a printed page is between its margins (A4 with 12 mm).
const DESKTOP: u32 = 1280;
const PHONE: u32 = 390;
const PAPER: u32 = 703;

#[test]
fn a_recorded_sweep_becomes_a_page_for_screens_phones_and_paper() {
    let _one = one_at_a_time();
    let place = Workplace::new();
    fs::copy(workspace().join("tests/fixtures/report-plan.toml"), place.path().join("slow.toml")).expect("the plan");
    run(&mut place.recorder("sweep slow.toml --seed 7")).expect_code(0);
    let printed = run(&mut place.analyze("report --sweep latest")).expect_code(0);
    let page = place.path().join(printed.stdout.trim());
    let text = fs::read_to_string(&page).expect("the printed path is a file");

    let runs = run_folder::RunFolder::list(&place.results()).expect("runs");
    assert_eq!(runs.len(), 10, "two repeats of three labels, and four baselines");
    for run in &runs {
        assert!(text.contains(&run.name()), "{} is not in the page", run.name());
    }
    assert!(text.contains("iptables -t mangle -A") && text.contains("TCP connects"), "the evidence of the faults");
    assert!(text.len() < 2_000_000, "{} bytes for ten runs", text.len());

    if chromium::is_there() {
        on_screens(&place, &text);
        on_paper(&place, &page, &text);
    }
}

/// Measures the page as it stands on screens, folded and unfolded.
fn on_screens(place: &Workplace, text: &str) {
    let frame =
        |name: &str, width: u32, unfold: bool| json!({"name": name, "width": width, "text": text, "unfold": unfold});
    let frames = [
        frame("desktop", DESKTOP, false),
        frame("phone", PHONE, false),
        frame("desktop, unfolded", DESKTOP, true),
        frame("phone, unfolded", PHONE, true),
    ];
    let pictures = text.matches("<svg").count();
    assert!(pictures >= 4, "{pictures} figures");
    for seen in measured(place, &frames) {
        let name = seen["name"].as_str().expect("a name");
        assert_eq!(seen["inner_width"], seen["width"], "{name}: the frame is as wide as asked");
        assert!(seen["scroll_width"].as_f64() <= seen["width"].as_f64(), "{name}: the page overflows: {seen}");
        assert_eq!(seen["beyond"], json!([]), "{name}: beyond the edge");
        assert!(seen["smallest_letters"][0].as_f64().expect("a size") >= 10.5, "{name}: {}", seen["smallest_letters"]);
        let sizes = seen["pictures"].as_array().expect("pictures");
        assert_eq!(sizes.len(), pictures, "{name}");
        for size in sizes {
            assert!(size[0].as_f64() > Some(300.0) && size[1].as_f64() > Some(100.0), "{name}: {size}");
        }
        assert_eq!(seen["twice"], json!([]), "{name}: ids");
        assert_eq!(seen["dead_links"], json!([]), "{name}: links");
        assert_eq!(seen["loaded"], json!([]), "{name}: what was loaded beside the page");
        assert_eq!(seen["scheme"], "light only", "{name}");
        let folded =
            seen["folded"].as_array().expect("details").iter().map(|height| height.as_f64().expect("a height"));
        let folded: Vec<f64> = folded.collect();
        assert!(folded.len() >= 12, "{name}: {} places to unfold", folded.len());
        let is_open = name.ends_with("unfolded");
        assert!(folded.iter().all(|&height| (height > 20.0) == is_open), "{name}: {folded:?}");
    }
}

/// Prints the page, and measures it with the rules for paper.
fn on_paper(place: &Workplace, page: &Path, text: &str) {
    let pdf = place.path().join("report.pdf");
    chromium::print(page, &pdf);
    let bytes = fs::read(&pdf).expect("a PDF");
    let pages = String::from_utf8_lossy(&bytes).matches("/Type /Page\n").count();
    assert!((5..40).contains(&pages), "{pages} pages for ten runs");

    assert_eq!(text.matches("@media print").count(), 1);
    let paper = text.replace("@media print", "@media all");
    let frames = [json!({"name": "paper", "width": PAPER, "text": paper, "unfold": false})];
    let seen = &measured(place, &frames)[0];
    assert!(seen["scroll_width"].as_f64() <= seen["width"].as_f64(), "the page overflows: {seen}");
    let fits = |width: &Value| width.as_f64().expect("a width") <= f64::from(PAPER);
    assert!(seen["tables"].as_array().expect("tables").iter().all(fits), "tables are cut: {}", seen["tables"]);
    assert!(seen["pictures"].as_array().expect("pictures").iter().all(|size| fits(&size[0])), "{}", seen["pictures"]);
    let folded = seen["folded"].as_array().expect("details");
    assert!(folded.iter().all(|height| height.as_f64() > Some(20.0)), "everything is unfolded: {folded:?}");
}

/// Has Chromium lay the page out in frames, and gives what it measured.
fn measured(place: &Workplace, frames: &[Value]) -> Vec<Value> {
    let script = fs::read_to_string(workspace().join("tests/fixtures/measure_page.js")).expect("the script");
    // Nothing of the page's text may end the script.
    let frames = Value::from(frames.to_vec()).to_string().replace('<', "\\u003c");
    let harness = format!(
        "<!DOCTYPE html><meta charset=utf-8><title>measuring</title><body><script>const FRAMES = {frames};\n{script}</script>"
    );
    let file: PathBuf = place.path().join("measure.html");
    fs::write(&file, harness).expect("a file");
    let seen = chromium::open(&file);
    // The script's own message shows that messages are seen; any other one is the page's, and would be an error.
    assert_eq!(seen.console.len(), 1, "{:?}", seen.console);
    assert!(seen.console[0].contains("measured"), "{:?}", seen.console);
    let result = seen.dom.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let result = result.expect("the script wrote its result").0;
    let result = result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&result).expect("JSON")
}
