//! Scheduling of the threads whose timing is part of the measurement: the pacer, the clients and the shapers.

/// Asks the kernel to wake the calling thread as promptly as an ordinary process may: timers are not coalesced
/// (slack 1 ns), and a short time slice (EEVDF, Linux 6.12 and later) lets it run soon after it wakes on a busy
/// CPU. The priority is the ordinary one: raising it would starve etcd and change the experiment.
pub fn wake_promptly() {
    // Both are best effort: on an older kernel the thread merely wakes later, and its lag is reported anyway.
    // SAFETY: prctl takes plain integers here.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong, 0, 0, 0) };
    set_slice(SLICE_NS);
}

const SLICE_NS: u64 = 100_000;

fn set_slice(slice_ns: u64) {
    /// `struct sched_attr` of `sched_setattr(2)`, its first published size.
    #[repr(C)]
    #[derive(Default)]
    struct SchedAttr {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        /// The slice, for the ordinary policy.
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    let attributes = SchedAttr { size: size_of::<SchedAttr>() as u32, runtime_ns: slice_ns, ..Default::default() };
    // SAFETY: the structure lives through the call and says its own size.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}
