"""The JSON Schema of a configuration file, for editors.

It describes the form of the file. Rules between sections (a pool that must exist) and the finer
points of texts are left to `gtmdns check`.
"""

from typing import Any

from .checks import FITS, TYPES
from .model import Config
from .records import record_schema
from .targets import target_schema
from .values import NAMED, JsonSchema
from .words import MODELS

TARGET = "#/$defs/Target"

# Defaults as they would be written; a model holds them as they are used.
WRITTEN_DEFAULTS = {
    ("Server", "workers"): "auto",
    ("Zone", "serial"): "auto",
    ("HealthCheck", "expect_status"): ["200-399"],
    ("Pool", "health_check"): None,
    ("Pool", "min_available"): 1,
    ("Isolation", "share"): "50%",
}


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) as plain JSON data."""
    schema = Config.model_json_schema(by_alias=True)
    definitions = {
        model.__name__: schema["$defs"][model.__name__] for keys, model in MODELS.items() if keys
    }
    definitions["Target"] = target_schema(TARGET)
    definitions["Record"] = record_schema(TARGET)
    for (model_name, key), value in WRITTEN_DEFAULTS.items():
        definitions[model_name]["properties"][key]["default"] = value
    definitions["Zone"]["anyOf"] = [
        {"required": ["nameservers", "contact"]},
        {"required": ["zone_file"], "properties": {"zone_file": {"type": "string"}}},
    ]
    for key in ("nameservers", "contact"):  # a default for zones with a master file alone
        definitions["Zone"]["properties"][key].pop("default")
    definitions["HealthCheck"]["anyOf"] = [_of_type(word) for word in TYPES]
    endpoints = definitions["Pool"]["properties"]["endpoints"]
    endpoints["minItems"] = 1
    endpoints["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Endpoint"}]}
    for model in MODELS.values():
        properties = (schema if model is Config else definitions[model.__name__])["properties"]
        for key in model.model_fields:
            properties.get(key, {}).pop("title", None)  # pydantic's: the key again
    for key, name in (("regions", "Region"), ("health_checks", "HealthCheck"), ("pools", "Pool")):
        schema["properties"][key] = {
            "type": "object",
            "propertyNames": NAMED.schema,
            "additionalProperties": {"$ref": f"#/$defs/{name}"},
        }
    schema["properties"]["include"] = {
        "description": "files to merge, as names or globs relative to this file",
        "type": "array",
        "items": {"type": "string", "minLength": 1},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gtmdns configuration",
        "description": "One file; in a folder, or with include, the zones may stand in another.",
        "type": "object",
        "properties": schema["properties"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _of_type(word: str) -> JsonSchema:
    """Return what a health check of this type has, and has not, beside what every one may have."""
    needed = {"tcp": ["port"], "tls": ["port"], "grpc": ["port"], "push": ["token_file"]}
    unfit: JsonSchema = {key: False for key, types in FITS.items() if word not in types}
    return {"properties": {"type": {"const": word}, **unfit}, "required": needed.get(word, [])}
