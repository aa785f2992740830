"""From Kafka messages to rows; unreadable rows are quarantined with the reason, all others continue (2.3, 2.4)."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fraudstream.data.parsing import is_nothing, parsed
from fraudstream.kafka.topic_guard import TopicGuard
from fraudstream.schemas import (
    BROWSING_KEYS,
    BROWSING_TOPIC,
    MAX_FUTURE_S,
    NEW_BROWSING,
    PRODUCT_METADATA,
    TRANSACTION,
    TRANSACTION_KEYS,
    TRANSACTION_TOPIC,
)
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.publish import write_batch
from fraudstream.stream.readable import (
    END,
    JSON_OPTIONS,
    elements,
    is_ambiguous,
    is_readable_id,
    object_text,
    variant_row,
)

SCHEMAS = {BROWSING_TOPIC: NEW_BROWSING, TRANSACTION_TOPIC: TRANSACTION}

KEYS = {BROWSING_TOPIC: BROWSING_KEYS, TRANSACTION_TOPIC: TRANSACTION_KEYS}
# One semester's browsing file has no customer_id; the transaction carries it
OPTIONAL = {BROWSING_TOPIC: ("customer_id",), TRANSACTION_TOPIC: ()}
# keys by which transactions and events are joined and counted
IDS = {BROWSING_TOPIC: ("session_id",), TRANSACTION_TOPIC: ("transaction_id", "session_id")}
_ALL_IDS = sorted({name for names in IDS.values() for name in names})

# of each row: its position in Kafka and in its message's list, the message, its record's time, whether it is a row, and
# the message once more if the text of an id does not tell its JSON type. A good row shall not carry its message: the
# copies for all rows took a tenth of the time of a catch-up
ORIGIN = ("topic", "partition", "offset", "position", "value", "sent_at", "in_list", "doubtful")
QUARANTINE_COLUMNS = ("topic", "partition", "offset", "position", "raw_value", "raw_bytes", "reason")


def in_brackets(value: str) -> Column:
    """The message in column ``value`` (binary), a list of rows, as the first of two such lists; null unless UTF-8.

    from_json ignores what follows the first JSON value. The second list, of one row with END, is present only if the
    message was exactly one value, so a single parse is enough.
    """
    return F.concat(F.lit("["), _utf8(value), F.lit(f',[{{"session_id":"{END}"}}]]'))


def explode_messages(messages: DataFrame) -> DataFrame:
    """One row per element of each message's JSON list, with its origin.

    In: Spark's Kafka source (value, topic, partition, offset, timestamp) and lists (array<array<struct>>), ``value``
    parsed ``in_brackets``. Out: row (the struct) and ORIGIN. An empty list gives no row. A message that is not a JSON
    list in UTF-8 gives one, with row null.

    If all elements of a message are objects, it is parsed once. Otherwise each element is parsed separately.
    """
    row_type = messages.schema["lists"].dataType.elementType.elementType
    one_list = F.filter(F.array("lists"), _is_one_list_of_objects)
    rows = F.coalesce(F.get(F.get(one_list, F.lit(0)), F.lit(0)), _rows_one_by_one(row_type))

    def with_position(row: Column, position: Column) -> Column:
        values = [row[name].alias(name) for name in row_type.names]
        return F.struct(*values, position.alias("position"), row.isNotNull().alias("in_list"))

    # flat columns: without generated code, Spark looks up a field of a struct slowly, each time that it is used
    return (
        messages.withColumnRenamed("timestamp", "sent_at")
        .withColumn("rows", F.transform(rows, with_position))
        .withColumn("doubtful", _message_with_doubtful_ids(row_type))
        .select("*", F.inline("rows"))
        .select(F.struct(*row_type.names).alias("row"), *ORIGIN)
    )


def _message_with_doubtful_ids(row_type: StructType) -> Column:
    """The message (binary) if the JSON type of an id of its rows has to be looked up in it, otherwise null."""
    ids = [name for name in _ALL_IDS if name in row_type.names]

    def doubtful(row: Column) -> Column:
        return reduce(Column.__or__, (F.coalesce(is_ambiguous(row[name]), F.lit(False)) for name in ids))

    return F.when(F.exists("rows", doubtful), F.col("value"))


def _is_one_list_of_objects(lists: Column) -> Column:
    rows, end = lists[0], F.get(F.get(lists, F.lit(1)), F.lit(0))
    return (F.size(lists) == 2) & (end.session_id == END) & ~F.exists(rows, F.isnull)


def _rows_one_by_one(row_type: StructType) -> Column:
    """A message's elements as array<struct>: nulls in the struct if one cannot be read, null for null or no list."""
    unreadable = F.struct(*(F.lit(None).cast(field.dataType).alias(field.name) for field in row_type))

    def row(element: Column) -> Column:
        parsed_row = F.from_json(object_text(element), row_type, JSON_OPTIONS)
        return F.when(element.isNotNull(), F.coalesce(parsed_row, unreadable))

    no_list = F.array(F.lit(None).cast("string"))
    return F.transform(F.coalesce(elements(_utf8("value")), no_list), row)


def _utf8(value: str) -> Column:
    return F.try_validate_utf8(F.col(value).cast("string"))


def rejection(topic: str) -> Column:
    """reason (string): why a row (the topic's strings, ts, ORIGIN) cannot be used; null for a good one."""
    reasons = [
        (~F.col("in_list"), "the message is not a JSON list of objects in UTF-8"),
        (F.col("ts").isNull(), "ts is missing or not a whole number"),
        (
            F.col("ts") > F.unix_timestamp("sent_at") + MAX_FUTURE_S,
            f"ts is more than {MAX_FUTURE_S} s ahead of its Kafka record",
        ),
    ]
    return F.coalesce(
        *(F.when(holds, reason) for holds, reason in reasons),
        *(_rejection_of(name, type_, topic) for name, type_ in SCHEMAS[topic].items()),
    )


def _rejection_of(name: str, type_: str, topic: str) -> Column:
    """reason (string) why the value of column ``name`` cannot be used; null for a good one, told by one condition."""
    text, reasons = F.col(name), []
    if name not in OPTIONAL[topic]:
        reasons.append((text.isNull(), f"{name} is missing"))
    if name in KEYS[topic]:
        reasons.append((is_nothing(text, type_), f"{name} is empty"))
    if name == "product_metadata":
        reasons.append((~readable_cart(), "product_metadata is not a list of product_id, quantity and item_price"))
    elif name in IDS[topic]:
        whole = variant_row(_utf8("doubtful"), F.col("position"))
        unreadable = F.col("doubtful").isNotNull() & ~is_readable_id(text, name, whole)
        reasons.append((unreadable, f"{name} is not a JSON string or a whole number"))
    elif type_ != "string":
        reasons.append((~is_nothing(text, type_), f"{name} cannot be read as {type_}"))
    reason = F.coalesce(*(F.when(holds, reason) for holds, reason in reasons), F.lit(None).cast("string"))
    # a column of another type has a reason only where the text has no value of it
    return reason if type_ == "string" else F.when(parsed(text, type_).isNull(), reason)


def readable_cart() -> Column:
    """Whether product_metadata is a list whose items all have a product, a quantity and a price (boolean)."""
    cart = parsed(F.col("product_metadata"), PRODUCT_METADATA)
    named = ("product_id", "quantity", "item_price")
    complete = F.forall(cart, lambda item: reduce(Column.__and__, (item[name].isNotNull() for name in named)))
    return F.coalesce(complete & _is_one_cart(F.col("product_metadata")), F.lit(False))


def _is_one_cart(text: Column) -> Column:
    """Whether ``text`` is one list and nothing more; single quotes are allowed, as in the file."""
    return F.size(F.from_json(F.concat(F.lit("["), text, F.lit("]")), "array<string>")) == 1


def good_rows(rows: DataFrame, topic: str) -> DataFrame:
    """The rows that can be used, with the topic's columns (strings), ts (int) and position (int, place in its list)."""
    return rows.where(rejection(topic).isNull()).select(*SCHEMAS[topic], "ts", "position")


def quarantined(rows_by_topic: dict[str, DataFrame]) -> DataFrame:
    """The rows of all topics that cannot be used: QUARANTINE_COLUMNS.

    raw_value is readable text; raw_bytes is the message itself if it could not be split into rows, otherwise null.
    """
    element = F.get(elements(_utf8("value")), F.col("position"))
    raw_value = F.coalesce(element, F.make_valid_utf8(F.col("value").cast("string")))
    raw_bytes = F.when(element.isNull(), F.col("value"))
    rejected = [
        rows.withColumn("reason", rejection(topic))
        .where("reason is not null")
        .withColumns({"raw_value": raw_value, "raw_bytes": raw_bytes})
        .select(*QUARANTINE_COLUMNS)
        for topic, rows in rows_by_topic.items()
    ]
    return reduce(DataFrame.unionByName, rejected)


def write_quarantine(folder: AnyPath, guard: TopicGuard | None = None):
    """A foreachBatch function that writes a micro-batch's rejected rows to ``folder``, the dead-letter store.

    May run twice for the same batch and changes nothing the second time. Accesses ``folder`` once, before the first
    query starts: raises OutputError if its storage cannot be reached, instead of a later error in Spark.
    ``guard``: of ``require_same_topics``; an error, which ends the query, if other topics answer.
    """
    folder.exists()

    def write(batch: DataFrame, batch_id: int) -> None:
        rows = batch.toArrow()
        if guard:
            guard.require()
        write_batch(rows, folder, batch_id)

    return write
