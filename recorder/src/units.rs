//! Quantities as people type them: `100ms`, `1.5s`, `20%`.

use crate::error::{Error, Result};

/// Parses a time with a unit (`us`, `ms`, `s`, `m`, `h`) into microseconds; `0` needs no unit.
///
/// # Errors
/// A usage error that names `what`, when the number or the unit is missing, negative or not understood.
pub fn time_us(what: &str, text: &str) -> Result<u64> {
    let (number, unit) = split_number(text);
    let us_per_unit = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3600e6,
        "" if number.parse() == Ok(0.0) => 0.0,
        "" => return Err(Error::usage(format!("{what}: {text:?} has no unit; write {text}ms or {text}s"))),
        _ => return Err(not_a_time(what, text)),
    };
    let number: f64 = number.parse().map_err(|_| not_a_time(what, text))?;
    let time_us = (number * us_per_unit).round();
    // A day bounds every time that makes sense here, and keeps later sums in nanoseconds far from overflow.
    if !(0.0..=86_400e6).contains(&time_us) {
        return Err(Error::usage(format!("{what}: {text:?} is not between 0 and 24 hours")));
    }
    if time_us == 0.0 && number != 0.0 {
        return Err(Error::usage(format!("{what}: {text:?} is less than a microsecond")));
    }
    Ok(time_us as u64)
}

/// Parses a time in which a bare number means seconds, as in the older scripts, into milliseconds.
///
/// # Errors
/// As [`time_us`].
pub fn seconds_ms(what: &str, text: &str) -> Result<u64> {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let time_us = if bare { time_us(what, &format!("{text}s"))? } else { time_us(what, text)? };
    Ok(time_us.div_ceil(1000))
}

/// Parses a rate with a unit (`bit`, `kbit`, `mbit`, `gbit`, powers of ten) into bits per second.
///
/// # Errors
/// A usage error that names `what`, when the number or the unit is missing or not understood.
pub fn bit_per_s(what: &str, text: &str) -> Result<u64> {
    let (number, unit) = split_number(text);
    let not_a_rate = || Error::usage(format!("{what}: {text:?} is not a rate such as 500kbit or 1mbit"));
    let factor = match unit.to_ascii_lowercase().as_str() {
        "bit" => 1.0,
        "kbit" => 1e3,
        "mbit" => 1e6,
        "gbit" => 1e9,
        _ => return Err(not_a_rate()),
    };
    let number: f64 = number.parse().map_err(|_| not_a_rate())?;
    let rate = (number * factor).round();
    // What a slow modem does, and more than any link here.
    if !(1e3..=1e12).contains(&rate) {
        return Err(Error::usage(format!("{what}: {text} is not between 1kbit and 1000gbit")));
    }
    Ok(rate as u64)
}

/// Parses a share such as `20%` into percent; `0` needs no sign.
///
/// # Errors
/// A usage error that names `what`, when it is not a percentage from 0 to 100.
pub fn percent(what: &str, text: &str) -> Result<f64> {
    let (number, unit) = split_number(text);
    let number: f64 =
        number.parse().map_err(|_| Error::usage(format!("{what}: {text:?} is not a percentage such as 20%")))?;
    match unit {
        "%" => {}
        "" if number == 0.0 => {}
        "" => return Err(Error::usage(format!("{what}: {text:?} has no unit; write {text}%"))),
        _ => return Err(Error::usage(format!("{what}: {text:?} is not a percentage such as 20%"))),
    }
    if !(0.0..=100.0).contains(&number) {
        return Err(Error::usage(format!("{what}: {text} is not between 0% and 100%")));
    }
    Ok(number)
}

/// A time for people, as in `9 min 20 s`.
pub fn in_words(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

fn not_a_time(what: &str, text: &str) -> Error {
    Error::usage(format!("{what}: {text:?} is not a time such as 100ms or 1.5s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let cases = [
            ("0", 0),
            ("0ms", 0),
            ("100ms", 100_000),
            ("1.5s", 1_500_000),
            ("250us", 250),
            ("2m", 120_000_000),
            ("1h", 3_600_000_000),
        ];
        for (text, us) in cases {
            assert_eq!(time_us("value", text).unwrap(), us, "{text}");
        }
        for text in ["", "100", "ms", "-5ms", "1..5s", "100lightyears", "9999999s", "infs", "NaNs"] {
            let message = time_us("value", text).expect_err(text).to_string();
            assert!(message.starts_with("value: "), "{message}");
        }
    }

    #[test]
    fn bare_seconds() {
        for (text, ms) in [("0", 0), ("60", 60_000), ("2.5", 2_500), ("500ms", 500), ("1m", 60_000)] {
            assert_eq!(seconds_ms("duration", text).unwrap(), ms, "{text}");
        }
        assert!(seconds_ms("duration", "sixty").is_err());
        assert!(seconds_ms("duration", "").is_err());
    }

    #[test]
    fn times_in_words() {
        let shown: Vec<_> = [0, 59, 560, 3_660, 700_000].map(in_words).into();
        assert_eq!(shown, ["0 s", "59 s", "9 min 20 s", "1 h 1 min", "8 d 2 h"]);
    }

    #[test]
    fn percentages() {
        for (text, value) in [("0", 0.0), ("0%", 0.0), ("20%", 20.0), ("0.5%", 0.5), ("100%", 100.0)] {
            assert_eq!(percent("value", text).unwrap(), value, "{text}");
        }
        for text in ["120%", "20", "-1%", "%", "ten%", "20ms"] {
            assert!(percent("value", text).is_err(), "{text}");
        }
    }
}
