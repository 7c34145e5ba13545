from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from producer_api.uploads.partitioner import murmur2, partition


@given(st.binary(max_size=100))
def test_is_the_hash_of_the_java_client(key):
    assert murmur2(key) == reference(key)


def test_chooses_what_the_java_client_chooses():
    from aiokafka.partitioner import DefaultPartitioner

    partitions = list(range(12))
    for number in range(200):
        key = f"camera-{number}".encode()
        assert partition(key, partitions, partitions) == DefaultPartitioner()(key, partitions, partitions)
