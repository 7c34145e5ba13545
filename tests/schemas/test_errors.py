from schemas.errors import ConfigurationError


def test_advice_is_what_is_wrong_and_what_to_do_as_sentences():
    assert ConfigurationError("it is taken", "Choose another.").advice == "it is taken. Choose another."
    assert ConfigurationError("It is taken.", "Choose another.").advice == "It is taken. Choose another."
    assert ConfigurationError("it is taken").advice == "it is taken."
