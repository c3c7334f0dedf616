"""What every model of the configuration is made of."""

from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WrapSerializer,
    model_validator,
)

from .values import NAMED

FILE = "file"  # the context of a validation whose data came from a file
HOUR, DAY = 3600.0, 86_400.0

T = TypeVar("T")


def _as_dict(value: Any, handler: SerializerFunctionWrapHandler) -> Any:
    return handler(dict(value))


ReadOnly = Annotated[dict[str, T], AfterValidator(MappingProxyType), WrapSerializer(_as_dict)]
Named = Annotated[
    dict[Annotated[str, NAMED], T], AfterValidator(MappingProxyType), WrapSerializer(_as_dict)
]


class Strict(BaseModel):
    """An unknown key is an error, and a loaded value never changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )

    SECTIONS: ClassVar[frozenset[str]] = frozenset()  # keys that may stand there with nothing

    @model_validator(mode="before")
    @classmethod
    def _pass_over_nothing(cls, data: Any, info: ValidationInfo) -> Any:
        if info.context != FILE or not isinstance(data, dict):
            return data
        return {
            key: item for key, item in data.items() if item is not None or key not in cls.SECTIONS
        }
