//! Records: what an account keeps beside its principals, keys and policies, each a JSON object under a name.

use serde_json::{Map, Value};
use sqlx::{PgExecutor, PgTransaction};
use time::OffsetDateTime;

use super::{check, page::PageRequest, record_kind::RecordSet, refused::SandboxFault};

/// What a new record belongs to.
#[derive(Default, Clone, Copy)]
pub struct RecordOwner {
    /// The RAM user, if to one.
    pub user_id: Option<i64>,
    /// The record, if to one.
    pub parent_id: Option<i64>,
}

impl RecordOwner {
    /// A RAM user.
    pub fn user(user_id: i64) -> Self {
        Self {
            user_id: Some(user_id),
            parent_id: None,
        }
    }

    /// Another record.
    pub fn parent(record: &Record) -> Self {
        Self {
            user_id: None,
            parent_id: Some(record.record_id),
        }
    }
}

/// A record.
#[derive(Debug)]
pub struct Record {
    /// Ours.
    pub record_id: i64,
    /// Its name or id.
    pub name: String,
    /// The RAM user that it belongs to, if to one.
    pub user_id: Option<i64>,
    body: Value,
    /// `CreateDate`.
    pub created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Record {
    /// A member, if it is a text; else the empty text.
    pub fn text(&self, member: &str) -> &str {
        self.body
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A member.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.body.get(name)
    }

    /// `UpdateDate`.
    pub fn update_date(&self) -> String {
        check::format_date(self.updated_at)
    }

    /// The members that are stored.
    pub fn body(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }

    /// The members that are stored, the dates, and those that are given.
    pub fn shown<const N: usize>(&self, more: [(&str, Value); N]) -> Map<String, Value> {
        let mut shown = self.body();
        let dates = [
            ("CreateDate", check::format_date(self.created_at).into()),
            ("UpdateDate", self.update_date().into()),
        ];
        for (name, value) in dates.into_iter().chain(more) {
            shown.insert(name.to_owned(), value);
        }
        shown
    }
}

/// Creates a record.
///
/// # Errors
/// `EntityAlreadyExists` if the name is taken.
pub async fn insert_record(
    tx: &mut PgTransaction<'_>,
    set: RecordSet<'_>,
    name: &str,
    owner: RecordOwner,
    body: Map<String, Value>,
    now: OffsetDateTime,
) -> Result<Record, SandboxFault> {
    sqlx::query_as!(
        Record,
        "INSERT INTO sandbox.records (
             account_id,
             kind,
             name,
             user_id,
             parent_id,
             body,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT DO NOTHING
         RETURNING record_id, name, user_id, body, created_at, updated_at",
        set.account_id,
        set.kind.code(),
        name,
        owner.user_id,
        owner.parent_id,
        Value::Object(body),
        now
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::already_exists(set.kind.code()))
}

/// Creates a record, or replaces what the one of this name holds.
pub async fn upsert_record(
    tx: &mut PgTransaction<'_>,
    set: RecordSet<'_>,
    name: &str,
    owner: RecordOwner,
    body: Map<String, Value>,
    now: OffsetDateTime,
) -> Result<Record, SandboxFault> {
    let record = sqlx::query_as!(
        Record,
        "INSERT INTO sandbox.records (
             account_id,
             kind,
             name,
             user_id,
             parent_id,
             body,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT ON CONSTRAINT sandbox_records_name_key
         DO UPDATE SET body = EXCLUDED.body, updated_at = EXCLUDED.updated_at
         RETURNING record_id, name, user_id, body, created_at, updated_at",
        set.account_id,
        set.kind.code(),
        name,
        owner.user_id,
        owner.parent_id,
        Value::Object(body),
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(record)
}

/// The record of this name; it stays as long as the transaction.
pub async fn find_optional_record(
    tx: &mut PgTransaction<'_>,
    set: RecordSet<'_>,
    name: &str,
) -> Result<Option<Record>, SandboxFault> {
    let record = sqlx::query_as!(
        Record,
        "SELECT record_id, name, user_id, body, created_at, updated_at
         FROM sandbox.records
         WHERE account_id = $1
           AND kind = $2
           AND name = $3
         FOR UPDATE",
        set.account_id,
        set.kind.code(),
        name
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(record)
}

/// The record of this name; it stays as long as the transaction.
///
/// # Errors
/// `EntityNotExist` if there is none.
pub async fn find_record(
    tx: &mut PgTransaction<'_>,
    set: RecordSet<'_>,
    name: &str,
) -> Result<Record, SandboxFault> {
    find_optional_record(tx, set, name)
        .await?
        .ok_or_else(|| SandboxFault::not_exist(set.kind.code()))
}

/// Replaces what a record holds and whose it is.
pub async fn update_record(
    tx: &mut PgTransaction<'_>,
    record: &Record,
    user_id: Option<i64>,
    body: Map<String, Value>,
    now: OffsetDateTime,
) -> Result<Record, SandboxFault> {
    let record = sqlx::query_as!(
        Record,
        "UPDATE sandbox.records
         SET user_id = $2,
             body = $3,
             updated_at = $4
         WHERE record_id = $1
         RETURNING record_id, name, user_id, body, created_at, updated_at",
        record.record_id,
        user_id,
        Value::Object(body),
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(record)
}

/// Deletes a record, and those that belong to it.
pub async fn delete_record(
    tx: &mut PgTransaction<'_>,
    record: &Record,
) -> Result<(), SandboxFault> {
    sqlx::query!(
        "DELETE FROM sandbox.records
         WHERE record_id = $1",
        record.record_id
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A page of records: all of a kind, those of a user, or those of a record.
pub async fn list_records(
    executor: impl PgExecutor<'_>,
    set: RecordSet<'_>,
    owner: RecordOwner,
    page: &PageRequest,
) -> Result<Vec<Record>, SandboxFault> {
    let records = sqlx::query_as!(
        Record,
        "SELECT record_id, name, user_id, body, created_at, updated_at
         FROM sandbox.records
         WHERE account_id = $1
           AND kind = $2
           AND ($3::bigint IS NULL OR user_id = $3)
           AND ($4::bigint IS NULL OR parent_id = $4)
           AND record_id > $5
         ORDER BY record_id
         LIMIT $6",
        set.account_id,
        set.kind.code(),
        owner.user_id,
        owner.parent_id,
        page.after,
        page.limit()
    )
    .fetch_all(executor)
    .await?;
    Ok(records)
}
