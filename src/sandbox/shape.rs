//! The members that each action's answer has, as the SDKs' typed models have them.
//!
//! `shapes.txt` holds one action a line: `PRODUCT ACTION MEMBER{MEMBER …} …`. `tests/interop/sandbox_models.py` writes
//! it from the models and compares it with them. An action shows all that it knows; what no model has is cut here, so
//! that RAM and IMS share their code.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Map, Value};

/// The actions by product and name.
static SHAPES: LazyLock<BTreeMap<(&str, &str), Shape>> = LazyLock::new(|| {
    include_str!("shapes.txt")
        .lines()
        .filter_map(|line| {
            let (product, rest) = line.split_once(' ')?;
            let (action, mut members) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(((product, action), Shape::parse(&mut members)))
        })
        .collect()
});

/// The members of an object, or of each object of a list. One without members is kept whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape(BTreeMap<&'static str, Shape>);

impl Shape {
    /// Reads members up to the brace that closes them.
    fn parse(text: &mut &'static str) -> Self {
        let mut members = BTreeMap::new();
        loop {
            *text = text.trim_start();
            if let Some(rest) = text.strip_prefix('}') {
                *text = rest;
                return Self(members);
            }
            let end = text.find([' ', '{', '}']).unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            if name.is_empty() {
                return Self(members);
            }
            *text = rest;
            let member = match rest.strip_prefix('{') {
                Some(inner) => {
                    *text = inner;
                    Self::parse(text)
                }
                None => Self::default(),
            };
            members.insert(name, member);
        }
    }

    fn cut(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.cut(item)),
            Value::Object(members) if !self.0.is_empty() => self.cut_members(members),
            _ => {}
        }
    }

    fn cut_members(&self, members: &mut Map<String, Value>) {
        members.retain(|name, value| {
            let member = self.0.get(name.as_str());
            if let Some(member) = member {
                member.cut(value);
            }
            member.is_some()
        });
    }
}

/// Cuts an answer to the members that the action's model has.
pub fn cut_to_model(product: &str, action: &str, answer: &mut Map<String, Value>) {
    if let Some(shape) = SHAPES.get(&(product, action)) {
        shape.cut_members(answer);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answer_keeps_what_the_model_has() {
        let mut answer = match json!({ "Groups": { "Group": [
            { "GroupName": "ops", "DisplayName": "Ops", "Comments": "" },
            { "GroupName": "dev", "DisplayName": "Dev", "Secret": "x" },
        ] }, "Secret": "x" })
        {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        cut_to_model("RAM", "ListGroups", &mut answer);
        let kept = json!({ "Groups": { "Group": [
            { "GroupName": "ops", "Comments": "" },
            { "GroupName": "dev" },
        ] } });
        assert_eq!(Value::Object(answer), kept);
    }

    #[test]
    fn action_without_members_answers_none() {
        let mut answer = Map::from_iter([("User".to_owned(), json!({}))]);
        cut_to_model("IMS", "DeleteUser", &mut answer);
        assert_eq!(answer, Map::new());
    }

    #[test]
    fn shapes_are_read_whole() {
        assert_eq!(SHAPES.len(), 180);
        let report = &SHAPES[&("IMS", "GetGovernanceItemReport")];
        let row = &report.0["ColumnsValue"].0["ColumnRow"].0["ColumnValue"];
        assert_eq!(row, &Shape::default());
        assert!(report.0.contains_key("MetricValue"), "after nested members");
    }
}
