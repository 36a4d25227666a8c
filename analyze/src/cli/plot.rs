//! What is typed after `analyze plot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::AnalysedArgs;
use crate::commands::{Picture, Plot, PlotKind, PlotOutput, TableOutput};
use crate::output::{Destination, Format};
use crate::plots::cdf::Scale;

#[derive(Debug, Args)]
pub(super) struct PlotArgs {
    #[command(flatten)]
    runs: AnalysedArgs,
    /// What to draw
    #[arg(long, value_enum, default_value = "throughput")]
    kind: KindArg,
    /// How the shares of --kind cdf are spaced [default: nines]
    #[arg(long, value_enum)]
    scale: Option<ScaleArg>,
    /// The picture, or the table that is behind it
    #[arg(long, value_enum, default_value = "svg")]
    format: PlotFormatArg,
    /// Write the tables that the picture draws beside it, as CSV under its name, and print their paths too
    #[arg(long)]
    with_data: bool,
    /// File to write; a picture goes to DIR/plots/ unless told otherwise, a table to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    /// Acknowledged operations per second, and the share of the others
    Throughput,
    /// Response and service time over time, one panel a run or, with many repeats, a label
    Latency,
    /// Distributions of response time before, during and after the fault, one panel a label
    Cdf,
    /// What faults changed: ratios by label, with intervals and the noise floor
    Delta,
    /// Quantiles of response time before, during and after, one panel a label
    Phases,
    /// Who led, and what disks, peers and replication did, beneath throughput and latency: one picture a run
    Members,
    /// Throughput and operations under way around the end of the fault, with what was lost
    Recovery,
    /// What is lost at each value of a fault, one line a family, with the danger zone
    Severity,
}

impl From<KindArg> for PlotKind {
    fn from(typed: KindArg) -> Self {
        match typed {
            KindArg::Throughput => Self::Throughput,
            KindArg::Latency => Self::Latency,
            KindArg::Cdf => Self::Cdf,
            KindArg::Delta => Self::Delta,
            KindArg::Phases => Self::Phases,
            KindArg::Members => Self::Members,
            KindArg::Recovery => Self::Recovery,
            KindArg::Severity => Self::Severity,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScaleArg {
    /// The same distance for each nine: p90, p99, p99.9
    Nines,
    /// From 0 to 100 %, evenly
    Linear,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PlotFormatArg {
    /// The picture
    Svg,
    /// The table behind it, for people
    Table,
    /// The table behind it, as an array of objects
    Json,
    /// The table behind it, with a header
    Csv,
    /// The table behind it, as Apache Parquet
    Parquet,
}

impl From<PlotArgs> for Plot {
    fn from(typed: PlotArgs) -> Self {
        Self {
            selection: typed.runs.into(),
            kind: typed.kind.into(),
            scale: typed.scale.map(|scale| match scale {
                ScaleArg::Nines => Scale::Nines,
                ScaleArg::Linear => Scale::Linear,
            }),
            picture: typed.format.into_picture(typed.output),
            with_data: typed.with_data,
        }
    }
}

impl PlotFormatArg {
    fn into_picture(self, output: Option<PathBuf>) -> Picture {
        let table = |format| Picture::Table(TableOutput { format, to: Destination::new(output.clone()) });
        match self {
            Self::Svg => Picture::Svg(output.map_or(PlotOutput::BesideRuns, PlotOutput::File)),
            Self::Table => table(Format::Table),
            Self::Json => table(Format::Json),
            Self::Csv => table(Format::Csv),
            Self::Parquet => table(Format::Parquet),
        }
    }
}
