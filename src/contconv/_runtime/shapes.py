"""Shape annotations: jaxtyping's where it is installed, else plain tensors."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

Function = TypeVar("Function")

if TYPE_CHECKING:

    def no_type_check(function: Function) -> Function:
        """Let a function that users call check its arguments, not the tests' hook."""
        ...
else:
    from typing import no_type_check as no_type_check

if TYPE_CHECKING or find_spec("jaxtyping"):
    from jaxtyping import Float as Float
    from jaxtyping import Int as Int
    from jaxtyping import Num as Num
    from jaxtyping import Shaped as Shaped
else:

    class Plain:
        """Stands in for jaxtyping: ``Plain[Tensor, "b c"]`` is ``Tensor``."""

        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return item[0]

    Float = Int = Num = Shaped = Plain
