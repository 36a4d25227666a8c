//! Which of the writes with unknown outcome can account for what was seen.

/// Counts which of `needs` no write accounts for, each write accounting for one at most. A need is the time before which a
/// write must have begun to be the one; `starts` are the times at which writes began. Returns the indices of needs that are
/// left over.
///
/// A write that began early enough for one need did for every later one too, so that serving needs in the order of their
/// times with the earliest writes leaves over as few as possible.
pub(super) fn left_over(needs: &[i64], starts: &[i64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_unstable_by_key(|&need| needs[need]);
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    let mut free = starts.into_iter().peekable();
    order.retain(|&need| free.next_if(|&start| start < needs[need]).is_none());
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use super::left_over;

    #[test]
    fn each_write_accounts_for_one_need_that_comes_after_its_start() {
        let check = |needs: &[i64], starts: &[i64], expected: &[usize]| assert_eq!(left_over(needs, starts), expected);
        check(&[10], &[5], &[]);
        check(&[10], &[10], &[0]);
        check(&[10, 20], &[5], &[1]);
        check(&[20, 10], &[15, 5], &[]);
        check(&[10, 10, 30], &[1, 11, 12], &[1]);
        check(&[10], &[], &[0]);
        check(&[], &[1], &[]);
    }
}
