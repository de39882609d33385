"""Members of an ensemble, joined."""

import pytest
import torch

from experiments.claims.ensembles import joined


def test_members_are_joined_by_the_sums_of_their_probabilities():
    # The chance of the right class, for three members and four images of two classes.
    right = torch.tensor(
        [
            [0.9, 0.4, 0.4, 0.4],
            [0.6, 0.9, 0.3, 0.2],
            [0.7, 0.8, 0.9, 0.3],
        ]
    )
    labels = torch.tensor([0, 1, 0, 1])
    members = torch.stack([right, 1 - right], 2)
    members[:, labels == 1] = members[:, labels == 1].flip(2)

    found = joined(members, labels, orders=400)

    assert found["members_alone"] == [50.0, 75.0]
    one, two, three = found["accuracy"]
    assert one == 25.0  # the first member alone
    # With the second member two images are right, with the third three.
    assert two == pytest.approx(62.5, abs=3)
    assert three == 75.0
