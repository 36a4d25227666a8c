//! Plain HTTP requests to members: for what they do not say over gRPC.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;

use super::sockets::Sockets;

/// Gets a page on a fresh connection.
///
/// # Errors
/// When nobody listens, or does not answer in HTTP.
pub async fn get(
    sockets: &Sockets,
    address: SocketAddr,
    path: &str,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let stream = sockets.connect(address).await?;
    let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::get(path).header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let answer = requests.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        drop(requests);
        Ok::<_, hyper::Error>(body)
    };
    let (body, _) = tokio::join!(exchange, connection);
    Ok(body?)
}
