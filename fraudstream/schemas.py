"""Topics, columns and types of every file as the metadata names them, and the stream's contract: times and query names.

Types are Spark SQL type names in plain strings: no Spark is imported here, so that Tasks 1 and 3 stay light.
"""

BROWSING_TOPIC = "browsing_behaviour"
TRANSACTION_TOPIC = "transactions"
TOPICS = (BROWSING_TOPIC, TRANSACTION_TOPIC)
# what Task 2 writes: one message per alert, keyed by transaction_id
ALERT_TOPIC = "fraud_alerts"
# what the evaluation reads: the true labels, published some time after their transactions
LABEL_TOPIC = "fraud_labels"

# 2.4b: the watermark; a row more than this behind the newest ts is dropped
WATERMARK_DELAY_S = 60
# a row whose ts is further ahead of its Kafka record would move the watermark past the good rows
MAX_FUTURE_S = 60
# names of Task 2's queries and of their checkpoints
PREDICTIONS, QUARANTINE = "predictions", "quarantine"
REPORTS = ("frauds", "quantity", "products")

Schema = dict[str, str]

# the views of reports.sqlite: name -> columns
REPORT_VIEWS = {
    "frauds_last_2_minutes": ("window_start", "window_end", "frauds", "transactions"),
    "quantity_every_30_seconds": ("window_start", "window_end", "quantity"),
    "top_products_every_minute": ("window_start", "window_end", "product_id", "product_name", "quantity"),
}

CATEGORY: Schema = {
    "category_id": "int",
    "cat_level1": "string",
    "cat_level2": "string",
    "cat_level3": "string",
}
CUSTOMER: Schema = {
    "customer_id": "int",
    "first_name": "string",
    "last_name": "string",
    "username": "string",
    "email": "string",
    "gender": "string",
    "birthdate": "date",
    "first_join_date": "date",
}
PRODUCT: Schema = {
    "id": "int",
    "gender": "string",
    "baseColour": "string",
    "season": "string",
    "year": "int",
    "usage": "string",
    "productDisplayName": "string",
    "category_id": "int",
}
BROWSING: Schema = {
    "session_id": "string",
    "event_type": "string",
    "event_time": "timestamp",
    "traffic_source": "string",
    "device_type": "string",
}
NEW_BROWSING: Schema = {**BROWSING, "customer_id": "int"}
TRANSACTION: Schema = {
    "created_at": "timestamp",
    "customer_id": "int",
    "transaction_id": "string",
    "session_id": "string",
    "product_metadata": "string",
    "payment_method": "string",
    "payment_status": "string",
    "promo_amount": "double",
    "promo_code": "string",
    "shipment_fee": "double",
    "shipment_location_lat": "double",
    "shipment_location_long": "double",
    "total_amount": "double",
    "clear_payment": "int",
}
# without these a row has no place in the stream; any other value may be empty
BROWSING_KEYS = ("session_id", "event_type", "event_time")
TRANSACTION_KEYS = ("transaction_id", "session_id", "created_at", "product_metadata")
# all event types, by part A's levels: buying, looking, navigating
LEVELS = {
    "l1": ("AP", "ATC", "CO"),
    "l2": ("VC", "VP", "VI", "SER"),
    "l3": ("SCR", "HP", "CL"),
}
CUSTOMER_SESSION: Schema = {"session_id": "string", "customer_id": "int"}
FRAUD: Schema = {"transaction_id": "string", "is_fraud": "boolean"}
# spellings of is_fraud in lower case; a transaction without a label is honest
FRAUD_WORDS, HONEST_WORDS = ("true", "t", "1", "1.0"), ("false", "f", "0", "0.0", "")

# the type of product_metadata, a list in one string, once parsed (requirement 2.4)
PRODUCT_METADATA = "array<struct<product_id:int,quantity:int,item_price:double>>"

# part A's features, which the model takes in addition to the transaction's own columns
SESSION_FEATURES: Schema = {
    "l1_count": "bigint",
    "l2_count": "bigint",
    "l3_count": "bigint",
    "l1_ratio": "double",
    "l2_ratio": "double",
    "time_of_day": "string",
    # our own addition to part A: from the session's first event to the checkout
    "session_minutes": "double",
}
# time_of_day: each part of the day with the hour at which it begins, in order
PARTS_OF_DAY = {"night": 0, "morning": 6, "afternoon": 12, "evening": 18}
CUSTOMER_FEATURES: Schema = {"gender": "string", "age": "int", "first_join_year": "int", "num_purchases": "int"}
# the columns that the stream offers a model: the typed transaction and its features
STREAM_COLUMNS: Schema = {**TRANSACTION, "product_metadata": PRODUCT_METADATA, **SESSION_FEATURES, **CUSTOMER_FEATURES}

# file name -> columns; the name that differs between semesters is looked up in fraudstream.data.csv_files
FILES: dict[str, Schema] = {
    "category.csv": CATEGORY,
    "customer.csv": CUSTOMER,
    "product.csv": PRODUCT,
    "browsing_behaviour.csv": BROWSING,
    "customer_session.csv": CUSTOMER_SESSION,
    "transactions.csv": TRANSACTION,
    "fraud_transaction.csv": FRAUD,
    "new_browsing_behaviour.csv": NEW_BROWSING,
    "new_transaction.csv": TRANSACTION,
    "new_fraud_transaction.csv": FRAUD,
}
# the true labels of the stream: only the evaluation reads them, and they may be missing
OPTIONAL_FILES = frozenset({"new_fraud_transaction.csv"})


# files of the training, of Task 2, and of the replay: file name -> required columns
PAST_FILES = {
    name: FILES[name]
    for name in ("browsing_behaviour.csv", "transactions.csv", "customer.csv", "fraud_transaction.csv")
}
STATIC_FILES = {name: FILES[name] for name in ("customer.csv", "product.csv", "category.csv", "transactions.csv")}
# one semester's browsing file has no customer_id
STREAM_FILES: dict[str, Schema] = {"new_browsing_behaviour.csv": BROWSING, "new_transaction.csv": TRANSACTION}


def ddl(schema: Schema) -> str:
    """The schema as Spark SQL DDL, for example ``category_id int, cat_level1 string``."""
    return ", ".join(f"`{name}` {type_}" for name, type_ in schema.items())
