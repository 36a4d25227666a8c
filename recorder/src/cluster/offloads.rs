//! Segmentation and receive offloads of network links. With them on, what a fault holds or drops is not a packet on the wire but up to
//! 64 kB of them at a time.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

/// Commands that ask for an offload and that set it, from the kernel's `include/uapi/linux/ethtool.h`: TCP segmentation, generic
/// segmentation, and generic receive offload.
const OFFLOADS: [(u32, u32); 3] = [(0x1e, 0x1f), (0x23, 0x24), (0x2b, 0x2c)];
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// The offloads of a link, switched off. Dropping the value switches those on again that were on.
#[derive(Debug)]
pub struct Offloads {
    link: String,
    were_on: Vec<u32>,
}

impl Offloads {
    /// Switches those of a link of the calling thread's namespace off.
    ///
    /// # Errors
    /// The system's error.
    pub fn off(link: &str) -> io::Result<Self> {
        let mut offloads = Self { link: link.to_owned(), were_on: Vec::new() };
        for (get, set) in OFFLOADS {
            if command(link, get, 0)? != 0 {
                command(link, set, 0)?;
                offloads.were_on.push(set);
            }
        }
        Ok(offloads)
    }

    /// Switches those of all links of the calling thread's namespace off but the loopback's.
    ///
    /// # Errors
    /// The system's error.
    pub fn all_off() -> io::Result<Vec<Self>> {
        let links = nix::net::if_::if_nameindex()?;
        let names = links.iter().map(|link| link.name().to_string_lossy().into_owned());
        names.filter(|name| name != "lo").map(|name| Self::off(&name)).collect()
    }

    /// Leaves them off for good.
    pub fn stay_off(mut self) {
        self.were_on.clear();
    }
}

impl Drop for Offloads {
    fn drop(&mut self) {
        for set in &self.were_on {
            // The link may be gone.
            let _ = command(&self.link, *set, 1);
        }
    }
}

/// Gives a link's driver a command and returns the value that it left.
fn command(link: &str, command: u32, value: u32) -> io::Result<u32> {
    #[repr(C)]
    struct EthtoolValue {
        command: u32,
        data: u32,
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut value = EthtoolValue { command, data: value };
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(link.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and the value it points to live through the call and have the kernel's layout.
    if unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value.data)
}
