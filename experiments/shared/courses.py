"""Figures of trainings that are compared: accuracy over what it took."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments.shared import trainings

Abscissa = Callable[[str, int], float]  # of a network and a number of epochs


def plot(
    result: dict[str, Any],
    labels: Mapping[str, str],
    abscissae: Mapping[str, Abscissa],
    figure: Path,
) -> Any:
    """Draw the accuracy of every network, with all its seeds, over each abscissa.

    Args:
        result: What `trainings.run` returned.
        labels: Of its networks.
        abscissae: By the names of their axes.
        figure: Where the drawing goes.
    """
    import matplotlib.pyplot as plt

    drawing, axes = plt.subplots(
        1, len(abscissae), figsize=(9, 4), sharey=True, layout="constrained"
    )
    for i, (network, label) in enumerate(labels.items()):
        rows = [row for row in result["networks"] if row["network"] == network]
        for j, row in enumerate(rows):
            epochs = range(1, len(row["accuracy"]) + 1)
            style = {"label": None if j else label, "color": f"C{i}", "ms": 3, "lw": 1}
            for ax, abscissa in zip(axes, abscissae.values(), strict=True):
                places = [abscissa(network, epoch) for epoch in epochs]
                ax.plot(places, row["accuracy"], "o-", **style)
    for ax, name in zip(axes, abscissae, strict=True):
        ax.set_xlabel(name)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy on test images, %")
    handles, names = axes[0].get_legend_handles_labels()
    drawing.legend(handles, names, loc="outside lower center", ncols=3)
    figure.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(figure, dpi=110)
    plt.close(drawing)


def over_epochs_and_time(result: dict[str, Any]) -> dict[str, Abscissa]:
    """The epochs, and the time of their steps."""
    return {"epoch": lambda _, epochs: epochs, "minutes of two cores": minutes(result)}


def minutes(result: dict[str, Any]) -> Abscissa:
    """The time of so many epochs' steps."""
    return lambda network, epochs: trainings.minutes(result, network, epochs)
