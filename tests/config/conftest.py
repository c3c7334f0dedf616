import pytest

from gtmdns.config.load import BadConfig, load


@pytest.fixture
def loaded(tmp_path):
    def load_text(text):
        path = tmp_path / "f.yaml"
        path.write_text(text)
        return load(path)

    return load_text


@pytest.fixture
def mistakes(loaded, tmp_path):
    """Return the mistakes of a text, without the folder."""

    def of_text(text):
        with pytest.raises(BadConfig) as caught:
            loaded(text)
        assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
        assert caught.value.files == (tmp_path / "f.yaml",)
        prefix = f"{tmp_path}/f.yaml:"
        return [str(mistake).removeprefix(prefix) for mistake in caught.value.mistakes]

    return of_text
