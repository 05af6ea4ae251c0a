//! Counts as text.

/// A number in groups of three digits.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something: one record, 2 records.
#[must_use]
pub fn counted(count: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let shown = [0, 999, 1_000, 16_936, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "16,936", "1,234,567"]);
        let shown = [0, 1, 2_000].map(|count| counted(count, "record"));
        assert_eq!(shown, ["0 records", "1 record", "2,000 records"]);
    }
}
