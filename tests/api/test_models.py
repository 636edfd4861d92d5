"""GET /models and /models/{name}: the model says what it is."""

from models.artifact.store import load_artifact
from tests.support.artifacts import CLASSES
from tests.support.service import Client, error_of


def test_list_names_the_served_model(client: Client) -> None:
    assert client.get("/models").json() == {
        "models": [
            {
                "name": "lenet-test",
                "version": "1",
                "current": True,
                "architecture": "lenet",
                "classes": list(CLASSES),
                "accuracy": 0.1,
            }
        ]
    }


def test_details_hold_the_whole_metadata(client: Client) -> None:
    stored = load_artifact(client.app.state.context.settings.model_dir).metadata
    details = client.get("/models/lenet-test").json()
    assert details["metadata"] == stored.model_dump(mode="json")
    engine = details["engine"]
    assert engine.pop("version")
    assert "device=cpu" in engine.pop("reason")
    assert engine == {
        "name": "openvino",
        "device": "cpu",
        "precision": "float32",
        "concurrency": 1,
        "streams": 1,
        "max_batch": 8,
    }


def test_layer_table_adds_up_to_the_network(client: Client) -> None:
    artifact = load_artifact(client.app.state.context.settings.model_dir)
    layers = client.get("/models/lenet-test").json()["layers"]
    assert {"name", "kind", "output_shape", "parameters", "multiply_adds"} == set(layers[0])
    assert layers[0]["output_shape"] == [6, 28, 28]
    assert layers[-1]["output_shape"] == [10]
    assert sum(layer["parameters"] for layer in layers) == sum(p.numel() for p in artifact.model.parameters())


def test_batch_norm_report_shows_eval_mode_updates_and_ranges(client: Client) -> None:
    norms = client.get("/models/lenet-test").json()["batch_norms"]
    assert [norm["features"] for norm in norms] == [6, 16, 120, 84]
    for norm in norms:
        assert norm["training"] is False
        assert norm["updates_seen"] == 20
        assert norm["running_mean_min"] <= norm["running_mean_max"]
        assert 0 < norm["running_var_min"] <= norm["running_var_max"]


def test_name_beyond_any_models_is_422(client: Client) -> None:
    response = client.get("/models/" + "x" * 101)
    assert response.status_code == 422
    assert error_of(response)["field"] == "name"


def test_unknown_model_is_404_and_says_which_there_are(client: Client) -> None:
    response = client.get("/models/resnet50")
    assert response.status_code == 404
    error = error_of(response)
    assert (error["code"], error["field"]) == ("unknown_model", "name")
    assert "lenet-test" in str(error["message"])
