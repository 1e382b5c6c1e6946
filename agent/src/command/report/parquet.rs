//! Writes the rows of a report as a Parquet file (<https://parquet.apache.org/docs/file-format/>), for programs that analyse tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

/// Columns of text, also in a report that has none there. Other columns are numbers, unless a row has a text.
const TEXTS: [&str; 12] = [
    "basis",
    "clip",
    "currency",
    "encoder",
    "matched",
    "name",
    "output_ladder",
    "preset",
    "run_id",
    "scenario",
    "setting",
    "vmaf_model",
];

/// One row of a report, as in its JSON.
pub(super) type Row = Map<String, Value>;

/// Formats the rows as a Parquet file with one column for each name in them. A value that is null or missing in a row is null in the
/// column. A column with lists is left out.
pub(super) fn document(rows: &[Row]) -> Result<Vec<u8>> {
    let is_list = |name: &str| rows.iter().any(|row| row.get(name).is_some_and(Value::is_array));
    let names: BTreeSet<&str> = rows.iter().flat_map(Map::keys).map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !is_list(name)).collect();
    let is_text = |name: &&str| {
        TEXTS.contains(name) || rows.iter().any(|row| row.get(*name).is_some_and(Value::is_string))
    };
    let fields = names.iter().map(|name| field(name, is_text(name))).collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder("report").with_fields(fields).build()?;
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(WriterProperties::default()))?;
    let mut group = writer.next_row_group()?;
    for name in names {
        let Some(mut column) = group.next_column()? else { break };
        let values = || rows.iter().map(|row| row.get(name));
        if is_text(&name) {
            let texts: Vec<Option<ByteArray>> = values().map(|value| text(value?)).collect();
            column.typed::<ByteArrayType>().write_batch(&known(&texts), Some(&levels(&texts)), None)?;
        } else {
            let numbers: Vec<Option<f64>> = values().map(|value| value?.as_f64()).collect();
            column.typed::<DoubleType>().write_batch(&known(&numbers), Some(&levels(&numbers)), None)?;
        }
        column.close()?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

fn field(name: &str, is_text: bool) -> Result<TypePtr> {
    let kind = if is_text { PhysicalType::BYTE_ARRAY } else { PhysicalType::DOUBLE };
    let field = Type::primitive_type_builder(name, kind)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(is_text.then_some(LogicalType::String));
    Ok(Arc::new(field.build()?))
}

fn text(value: &Value) -> Option<ByteArray> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(text.into_bytes().into())
}

fn known<T: Clone>(values: &[Option<T>]) -> Vec<T> {
    values.iter().flatten().cloned().collect()
}

/// Definition levels: 1 for a known value.
fn levels<T>(values: &[Option<T>]) -> Vec<i16> {
    values.iter().map(|value| i16::from(value.is_some())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use serde_json::json;

    use super::*;

    fn rows(value: &Value) -> Vec<Row> {
        value.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
    }

    fn read(rows: &[Row]) -> SerializedFileReader<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&document(rows).unwrap()).unwrap();
        SerializedFileReader::new(file).unwrap()
    }

    fn value(field: &Field) -> Value {
        match field {
            Field::Null => Value::Null,
            Field::Double(number) => json!(number),
            Field::Str(text) => json!(text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_has_the_values_of_the_rows() {
        let report = json!([
            {"scenario": "a, \"b\"", "energy_joules": 1.5, "encodes": 3, "clip": null, "vmaf": null, "scores": [1]},
            {"scenario": "c", "energy_joules": null, "encodes": 2, "clip": null, "vmaf": null, "scores": []},
        ]);
        let reader = read(&rows(&report));
        let row = |row: parquet::record::Row| -> Row {
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
        };
        let found: Vec<Row> = reader.get_row_iter(None).unwrap().map(|found| row(found.unwrap())).collect();
        let expected = json!([
            {"clip": null, "encodes": 3.0, "energy_joules": 1.5, "scenario": "a, \"b\"", "vmaf": null},
            {"clip": null, "encodes": 2.0, "energy_joules": null, "scenario": "c", "vmaf": null},
        ]);
        assert_eq!(found, rows(&expected));
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let kinds: Vec<_> = schema.columns().iter().map(|column| column.physical_type()).collect();
        let (text, number) = (PhysicalType::BYTE_ARRAY, PhysicalType::DOUBLE);
        assert_eq!(kinds, [text, number, number, text, number], "also where nothing is known");
    }

    #[test]
    fn a_report_without_rows_is_an_empty_file() {
        assert_eq!(read(&[]).metadata().file_metadata().num_rows(), 0);
    }
}
