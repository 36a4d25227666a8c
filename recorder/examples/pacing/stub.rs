//! A stand-in for etcd that answers every request at once and keeps nothing, so that what is measured is the client. It
//! takes etcd's flags and can be given to the recorder as any etcd: `recorder run stub --etcd PATH-OF-THIS-EXAMPLE`.
//!
//! Every answer holds a valid header, which all answers of etcd's key-value service begin with; status answers name the
//! first member as the leader. It serves no metrics.

use std::process::ExitCode;

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

/// True when the program is started as an etcd.
pub(crate) fn is_asked_for(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument == "--version" || argument.starts_with("--name="))
}

/// Serves until it is killed.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let flag = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)).unwrap_or_default();
    if arguments.iter().any(|argument| argument == "--version") {
        println!("etcd Version: stub");
        return ExitCode::SUCCESS;
    }
    let member_id = flag("--name=etcd").parse().unwrap_or(0) + LEADER_ID;
    let urls = flag("--listen-client-urls=").split(',').chain([flag("--listen-peer-urls=")]);
    let addresses: Vec<String> = urls.map(|url| url.trim_start_matches("http://").to_owned()).collect();
    let served = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        runtime.block_on(async {
            for address in addresses {
                let listener = TcpListener::bind(&address).await?;
                tokio::spawn(accept(listener, member_id));
            }
            std::future::pending().await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the stub cannot serve: {error}");
            ExitCode::FAILURE
        }
    }
}

const LEADER_ID: u64 = 1;

async fn accept(listener: TcpListener, member_id: u64) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(connection(socket, member_id));
    }
}

async fn connection(socket: TcpStream, member_id: u64) {
    let _ = socket.set_nodelay(true);
    // A probe that only connects, or a request for metrics, is no HTTP/2.
    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(async move {
            // A client that is gone needs no answer.
            let _ = answer(request, respond, member_id).await;
        });
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    member_id: u64,
) -> Result<(), h2::Error> {
    let is_status = request.uri().path() == "/etcdserverpb.Maintenance/Status";
    let mut body = request.into_body();
    while let Some(part) = body.data().await {
        let bytes = part?.len();
        body.flow_control().release_capacity(bytes)?;
    }
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(head, false)?;
    stream.send_data(framed(&message(member_id, is_status)), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// A message behind gRPC's prefix: not compressed, and its length.
fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

/// A protobuf answer. All numbers are below 128 and so a single byte each.
fn message(member_id: u64, is_status: bool) -> Vec<u8> {
    let varint = |field: u8, value: u8| [field << 3, value];
    let nested = |field: u8, bytes: &[u8]| [&[field << 3 | 2, bytes.len() as u8], bytes].concat();
    // ResponseHeader: cluster_id, member_id, revision, raft_term.
    let header = [varint(1, 1), varint(2, member_id as u8), varint(3, 1), varint(4, 1)].concat();
    let mut message = nested(1, &header);
    if is_status {
        // StatusResponse: version, dbSize, leader, raftIndex, raftTerm, raftAppliedIndex.
        message.extend(nested(2, b"stub"));
        message.extend([(3, 1), (4, LEADER_ID as u8), (5, 1), (6, 1), (7, 1)].map(|(n, v)| varint(n, v)).concat());
    }
    message
}
