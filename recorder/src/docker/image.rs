//! Which image members are made from.

use std::time::{Duration, Instant};

use bollard::query_parameters::CreateImageOptionsBuilder;
// tonic's streams are the ones that bollard returns; this is the trait that reads them.
use tonic::codegen::tokio_stream::StreamExt;

use super::Engine;
use super::calls::Failure;
use crate::error::{Error, Result};
use crate::terminal;

/// The public image of etcd that is taken when none is asked for.
pub const PUBLIC_IMAGE: &str = "rancher/mirrored-coreos-etcd:v3.5.9";
/// What `make images` builds from Debian packages, where no registry can be reached.
pub const OWN_IMAGE: &str = "laggard/etcd:latest";
/// What `make images` builds for sidecars: the programs that faults need.
pub const TOOLS_IMAGE: &str = "laggard/tools:latest";

/// The environment variable that names an image.
const IMAGE_VARIABLE: &str = "ETCD_IMAGE";

/// The longest that fetching an image may take.
const PULL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// The longest that nothing may be heard of it.
const PULL_SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often it is said how far it is.
const PULL_PROGRESS: Duration = Duration::from_secs(5);

/// An image that is on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenImage {
    /// Its name, as it was asked for.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Why it was chosen, when it was not asked for.
    pub note: Option<String>,
}

impl Engine {
    /// The image for members: `asked`, else `$ETCD_IMAGE`, else the public one or that of `make images`, whichever is
    /// here; when none is, the public one is fetched.
    ///
    /// # Errors
    /// [`Error::Environment`] when the image is neither here nor to be had.
    pub async fn choose_image(&self, asked: Option<&str>) -> Result<ChosenImage> {
        let variable = std::env::var(IMAGE_VARIABLE).ok().filter(|image| !image.is_empty());
        let (image, origin) = match (asked, &variable) {
            (Some(asked), _) => (asked, "--image"),
            (None, Some(variable)) => (variable.as_str(), "$ETCD_IMAGE"),
            (None, None) => return self.default_image().await,
        };
        let id = match self.image_id(image).await? {
            Some(id) => id,
            None => self.pull(image).await.map_err(|reason| {
                Error::environment(format!(
                    "{origin} {image}: is not on the Docker engine and cannot be fetched: {reason}; fetch or build it, or \
                     leave {origin} away to take {OWN_IMAGE}, which `make images` builds from Debian packages"
                ))
            })?,
        };
        Ok(ChosenImage { name: image.to_owned(), id, note: None })
    }

    async fn default_image(&self) -> Result<ChosenImage> {
        let chosen = |name: &str, id, note: String| ChosenImage { name: name.to_owned(), id, note: Some(note) };
        if let Some(id) = self.image_id(PUBLIC_IMAGE).await? {
            return Ok(chosen(PUBLIC_IMAGE, id, format!("image {PUBLIC_IMAGE}, the default")));
        }
        if let Some(id) = self.image_id(OWN_IMAGE).await? {
            let note = format!("image {OWN_IMAGE}, built from Debian packages, because {PUBLIC_IMAGE} is not here");
            return Ok(chosen(OWN_IMAGE, id, note));
        }
        match self.pull(PUBLIC_IMAGE).await {
            Ok(id) => Ok(chosen(PUBLIC_IMAGE, id, format!("image {PUBLIC_IMAGE}, the default"))),
            Err(reason) => Err(Error::environment(format!(
                "image {PUBLIC_IMAGE} is not on the Docker engine and cannot be fetched: {reason}; `make images` builds \
                 {OWN_IMAGE} from Debian packages, which is then taken; or name an image with --image or $ETCD_IMAGE"
            ))),
        }
    }

    /// The id of an image that is on the engine.
    ///
    /// # Errors
    /// [`Error::Environment`] when the engine refuses the name or does not answer.
    pub async fn image_id(&self, image: &str) -> Result<Option<String>> {
        match self.call(self.docker.inspect_image(image)).await {
            Ok(found) => Ok(Some(found.id.unwrap_or_else(|| image.to_owned()))),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(self.explain(&format!("about image {image}"), &failure)),
        }
    }

    /// Fetches an image and says how far it is.
    async fn pull(&self, image: &str) -> std::result::Result<String, String> {
        let (name, tag) = name_and_tag(image);
        terminal::line(format_args!("fetching image {image}"));
        let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
        let mut steps = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        let begun = Instant::now();
        let mut said = Instant::now();
        loop {
            let left = PULL_TIMEOUT.saturating_sub(begun.elapsed());
            let step = match tokio::time::timeout(left.min(PULL_SILENCE_MAX), steps.next()).await {
                Ok(Some(Ok(step))) => step,
                Ok(Some(Err(error))) => return Err(Failure::from(error).message().to_owned()),
                Ok(None) => break,
                Err(_) if left <= PULL_SILENCE_MAX => {
                    return Err(format!("it was not done within {} s", PULL_TIMEOUT.as_secs()));
                }
                Err(_) => return Err(format!("nothing was heard of it for {} s", PULL_SILENCE_MAX.as_secs())),
            };
            if let Some(error) = step.error_detail {
                return Err(error.message.unwrap_or_else(|| "the engine does not say why".into()));
            }
            if said.elapsed() >= PULL_PROGRESS {
                said = Instant::now();
                let status = step.status.unwrap_or_default();
                terminal::line(format_args!("fetching image {image}: {} {status}", step.id.unwrap_or_default()));
            }
        }
        match self.image_id(image).await {
            Ok(Some(id)) => Ok(id),
            Ok(None) => Err("it was fetched, but is not there".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// An image's name and tag: without a tag an engine would fetch all of them.
fn name_and_tag(image: &str) -> (&str, &str) {
    if image.contains('@') {
        return (image, "");
    }
    match image.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_always_has_a_tag() {
        assert_eq!(name_and_tag("etcd"), ("etcd", "latest"));
        assert_eq!(name_and_tag("some/etcd:v3"), ("some/etcd", "v3"));
        assert_eq!(name_and_tag("localhost:5000/etcd"), ("localhost:5000/etcd", "latest"));
        assert_eq!(name_and_tag("etcd@sha256:00"), ("etcd@sha256:00", ""));
    }
}
