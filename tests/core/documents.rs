//! The documents, read by parsers that nobody here wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use iab_specs::openrtb::v25::{BidRequest, BidResponse};
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use rtblint_core::{OpenRtbVersion, Severity, ValidationResult};
use serde_json::Value;

/// Records of 2,000 auctions in which every response wins and is clicked, so that each stage is seen often.
fn records(stage: Stage) -> Vec<Record> {
    let always = "1".parse().unwrap();
    let spec = StreamSpec { win_rate: always, click_rate: always, ..StreamSpec::default() };
    let stream = Stream::new(&spec, &Layout::default());
    let records: Vec<Record> =
        stream.records(Window::auctions(0, 2_000)).filter(|record| record.stage == stage).collect();
    assert!(records.len() > 1_000);
    records
}

fn text(record: &Record) -> &str {
    std::str::from_utf8(&record.value).unwrap()
}

#[test]
fn an_openrtb_crate_reads_every_request_and_response() {
    for record in records(Stage::Request) {
        let request: BidRequest<Value> = serde_json::from_slice(&record.value).unwrap();
        assert_eq!(request.id.as_bytes(), record.key);
        assert_eq!(request.imp.len(), 1);
    }
    for record in records(Stage::Response) {
        let response: BidResponse<Value> = serde_json::from_slice(&record.value).unwrap();
        assert_eq!(response.id.as_bytes(), record.key);
        assert_eq!(response.seatbid.unwrap().len(), 1);
    }
}

/// Findings of the linter, as `severity id path`, sorted, each once.
fn findings(result: &ValidationResult) -> Vec<String> {
    let line = |issue: &rtblint_core::Issue| {
        let severity = if issue.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity} {} {}", issue.id, issue.path.as_deref().unwrap_or("-"))
    };
    let mut lines: Vec<String> = result.issues.iter().map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The product document's shapes deviate from OpenRTB 2.6 in known places; the linter finds those and nothing else.
#[test]
fn a_linter_finds_the_product_documents_known_deviations_and_nothing_else() {
    let version = OpenRtbVersion::from_id("2.6-202606").unwrap();
    let (mut with_deal, mut without_deal) = (0, 0);
    for record in records(Stage::Request) {
        let result = rtblint_core::validate_bid_request_for_version(version, text(&record));
        let mut known = vec![
            "error openrtb.field.moved regs.ext.gdpr",
            "error openrtb.field.undefined event_timestamp",
            "error openrtb.field.undefined received_at",
        ];
        if text(&record).contains("\"coppa\":1") {
            // The product document sends every user's place, a child's too.
            known.push("warning openrtb.privacy.coppa_geo device.geo.lat");
        }
        if text(&record).contains("\"gdpr\":1") {
            // … and no consent string.
            known.push("warning openrtb.privacy.gdpr_without_consent regs.ext.gdpr");
        }
        assert_eq!(findings(&result), known, "{}", text(&record));
    }
    let requests = records(Stage::Request);
    for record in records(Stage::Response) {
        let request = requests.iter().find(|request| request.ordinal == record.ordinal).unwrap();
        let result = rtblint_core::validate_bid_response_against_request(version, text(request), text(&record));
        let mut known =
            vec!["error openrtb.field.undefined event_timestamp", "error openrtb.response.request_id_mismatch id"];
        if text(&record).contains("\"dealid\"") {
            known.push("warning openrtb.bid.dealid_unknown seatbid[0].bid[0].dealid");
            with_deal += 1;
        } else {
            without_deal += 1;
        }
        assert_eq!(findings(&result), known, "{}", text(&record));
    }
    assert!(with_deal > 50 && without_deal > 500, "{with_deal} bids with a deal, {without_deal} without");
}

/// Each document, as it stands and with a field more, less or of another type, against the schema that `schema` prints.
#[cfg(feature = "cli")]
#[test]
fn the_schemas_take_the_encoders_documents_and_refuse_damaged_ones() {
    for stage in Stage::ALL {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"))
            .args(["schema", stage.name()])
            .output()
            .unwrap();
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        for record in records(stage) {
            let document: Value = serde_json::from_slice(&record.value).unwrap();
            if let Some(error) = validator.iter_errors(&document).next() {
                panic!("{stage}: {error} in {}", text(&record));
            }
        }
        let document: Value = serde_json::from_slice(&records(stage)[0].value).unwrap();
        let fields: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let mut without = document.clone();
            without.as_object_mut().unwrap().remove(&field);
            assert!(!validator.is_valid(&without), "{stage} without {field}");
            let mut other = document.clone();
            other[&field] = serde_json::json!({ "not": "this" });
            assert!(!validator.is_valid(&other), "{stage} with another {field}");
        }
        let mut more = document.clone();
        more["surplus"] = serde_json::json!(1);
        assert!(!validator.is_valid(&more), "{stage} with a surplus field");
    }
}
