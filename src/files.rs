//! A folder of files: one NDJSON file a topic, and `manifest.json`. Who writes one and who reads it back share what is here.

mod error;
mod folder;
mod held;
mod manifest;

pub use self::error::{FilesError, ReadError};
pub(crate) use self::folder::{
    BEGUN, Hashed, MANIFEST, file_name, require_empty, require_short_names, write_json, write_manifest,
};
pub(crate) use self::held::Held;
pub use self::manifest::Manifest;
pub(crate) use self::manifest::{ManifestFile, ManifestHead, NamedFile, NewManifest};
