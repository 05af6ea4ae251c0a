//! Tables of an event type for engines, made from its JSON Schema: money and degrees are decimals, times are points in time.

use clap::ValueEnum;
use serde_json::Value;

/// What a schema is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaFormat {
    /// JSON Schema 2020-12
    JsonSchema,
    /// A table for `COPY … FROM 'x.ndjson'`
    #[value(name = "ddl-duckdb")]
    DuckDb,
    /// A table over the topic, with a watermark
    #[value(name = "ddl-flink")]
    Flink,
    /// A table for `INSERT … FORMAT JSONEachRow`
    #[value(name = "ddl-clickhouse")]
    ClickHouse,
    /// A table over the file
    #[value(name = "ddl-spark")]
    Spark,
}

/// A field's type.
#[derive(Debug)]
enum Kind {
    Text,
    Uuid,
    Time,
    Whole,
    /// Digits in all, and behind the point.
    Decimal(u8, u8),
    List(Box<Self>),
    Row(Vec<Field>),
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: Kind,
    is_optional: bool,
}

impl Kind {
    fn of(schema: &Value, root: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            return match name {
                "Cents" => Self::Decimal(12, 2),
                "Degrees" => Self::Decimal(7, 4),
                name => Self::of(&root["$defs"][name], root),
            };
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("object"), _) => Self::Row(Field::all(schema, root)),
            (Some("array"), _) => Self::List(Box::new(Self::of(&schema["items"], root))),
            (Some("integer"), _) => Self::Whole,
            (_, Some("date-time")) => Self::Time,
            (_, Some("uuid")) => Self::Uuid,
            _ => Self::Text,
        }
    }
}

impl Field {
    /// The fields of an object in the document's order: those that are always there, then the others.
    fn all(schema: &Value, root: &Value) -> Vec<Self> {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object();
        let names = properties.into_iter().flat_map(serde_json::Map::keys).map(String::as_str);
        let optional: Vec<&str> = names.filter(|name| !required.contains(name)).collect();
        let field = |name: &&str| Self {
            name: (*name).to_owned(),
            kind: Kind::of(&schema["properties"][*name], root),
            is_optional: optional.contains(name),
        };
        required.iter().chain(&optional).map(field).collect()
    }
}

impl SchemaFormat {
    /// The statement that creates a table of a topic's documents.
    pub(super) fn ddl(self, schema: &Value, topic: &str) -> String {
        let columns: Vec<String> = Field::all(schema, schema).iter().map(|field| self.column(field)).collect();
        let table = topic.replace('-', "_");
        let (mut columns, end) = (columns, self.end(topic));
        if self == Self::Flink {
            columns.push("WATERMARK FOR `event_timestamp` AS `event_timestamp` - INTERVAL '30' SECOND".to_owned());
        }
        format!("{}CREATE TABLE {table} (\n  {}\n){end};\n", self.remark(topic, &table), columns.join(",\n  "))
    }

    /// How the table is filled, where it does not read by itself.
    fn remark(self, topic: &str, table: &str) -> String {
        match self {
            Self::DuckDb => format!("-- COPY {table} FROM '{topic}.ndjson' (FORMAT json)\n"),
            Self::ClickHouse => format!(
                "-- INSERT INTO {table} SETTINGS date_time_input_format = 'best_effort' SELECT * FROM file('{topic}.ndjson', JSONEachRow)\n"
            ),
            Self::JsonSchema | Self::Flink | Self::Spark => String::new(),
        }
    }

    fn end(self, topic: &str) -> String {
        match self {
            Self::JsonSchema | Self::DuckDb => String::new(),
            Self::Flink => format!(
                " WITH (\n  'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = 'localhost:29092',\n  \
                 'scan.startup.mode' = 'earliest-offset', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'\n)"
            ),
            Self::ClickHouse => " ENGINE = MergeTree ORDER BY `event_timestamp`".to_owned(),
            Self::Spark => format!(" USING json OPTIONS (path '{topic}.ndjson')"),
        }
    }

    fn column(self, field: &Field) -> String {
        // ClickHouse's columns take nothing but values unless they say otherwise.
        let not_null = if self == Self::ClickHouse || field.is_optional { "" } else { " NOT NULL" };
        format!("{} {}{not_null}", self.name(&field.name), self.nullable(field))
    }

    /// Many names of fields are words of SQL.
    fn name(self, name: &str) -> String {
        if self == Self::DuckDb { format!("\"{name}\"") } else { format!("`{name}`") }
    }

    fn nullable(self, field: &Field) -> String {
        let kind = self.kind(&field.kind);
        if self == Self::ClickHouse && field.is_optional { format!("Nullable({kind})") } else { kind }
    }

    fn kind(self, kind: &Kind) -> String {
        let word = |duckdb: &str, flink: &str, clickhouse: &str, spark: &str| {
            match self {
                Self::DuckDb | Self::JsonSchema => duckdb,
                Self::Flink => flink,
                Self::ClickHouse => clickhouse,
                Self::Spark => spark,
            }
            .to_owned()
        };
        match kind {
            Kind::Text => word("VARCHAR", "STRING", "String", "STRING"),
            Kind::Uuid => word("UUID", "STRING", "UUID", "STRING"),
            Kind::Time => word("TIMESTAMPTZ", "TIMESTAMP_LTZ(3)", "DateTime64(3, 'UTC')", "TIMESTAMP"),
            Kind::Whole => word("INTEGER", "INT", "Int32", "INT"),
            Kind::Decimal(digits, places) => format!("DECIMAL({digits}, {places})"),
            Kind::List(of) => match self {
                Self::DuckDb | Self::JsonSchema => format!("{}[]", self.kind(of)),
                Self::ClickHouse => format!("Array({})", self.kind(of)),
                Self::Flink | Self::Spark => format!("ARRAY<{}>", self.kind(of)),
            },
            Kind::Row(fields) => {
                let between = if self == Self::Spark { ": " } else { " " };
                let member = |field: &Field| format!("{}{between}{}", self.name(&field.name), self.nullable(field));
                let members = fields.iter().map(member).collect::<Vec<_>>().join(", ");
                match self {
                    Self::DuckDb | Self::JsonSchema => format!("STRUCT({members})"),
                    Self::ClickHouse => format!("Tuple({members})"),
                    Self::Flink => format!("ROW<{members}>"),
                    Self::Spark => format!("STRUCT<{members}>"),
                }
            }
        }
    }
}
