//! What the user sees against `snapshots/cli`.

/// Compares a text with its snapshot; what differs from run to run is replaced.
#[track_caller]
pub(crate) fn snapshot(name: &str, text: impl AsRef<str>) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/cli");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"(done in|stopped after) +[0-9.]+ s, [0-9,]+ records/s", "$1 [seconds] s, [rate] records/s");
    settings.add_filter(
        r"starts at [^,]+, before the stream's epoch 2100",
        "starts at [now], before the stream's epoch 2100",
    );
    settings.add_filter(r"127\.0\.0\.1:[0-9]+", "127.0.0.1:[port]");
    settings.add_filter(r"librdkafka [0-9.]+", "librdkafka [version]");
    settings.bind(|| insta::assert_snapshot!(name, text.as_ref()));
}
