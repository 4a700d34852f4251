"""When a process is started again and when it is given up."""

from causeway.cli.restarts import GiveUp, Restart, RestartPolicy, describe_exit


def test_the_wait_doubles_up_to_its_bound_while_crashes_follow_each_other() -> None:
    policy = RestartPolicy(crashes_max=100, window_s=1_000)
    waits = [policy.ended(1, now_s=float(second)) for second in range(8)]
    assert waits == [Restart(wait) for wait in (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)]


def test_a_process_that_ran_long_enough_is_restarted_at_once_again() -> None:
    policy = RestartPolicy(crashes_max=5, window_s=60)
    assert policy.ended(1, now_s=0) == Restart(0.5)
    assert policy.ended(1, now_s=10) == Restart(1.0)
    assert policy.ended(1, now_s=200) == Restart(0.5)


def test_too_many_crashes_within_the_window_are_given_up() -> None:
    policy = RestartPolicy(crashes_max=3, window_s=60)
    policy.ended(1, now_s=0)
    policy.ended(-9, now_s=1)
    assert policy.ended(1, now_s=2) == GiveUp("it ended 3 times within 60 s")


def test_a_refusal_to_start_is_given_up_at_once() -> None:
    assert isinstance(RestartPolicy(crashes_max=100, window_s=60).ended(78, now_s=0), GiveUp)


def test_an_exit_is_described_in_words() -> None:
    assert describe_exit(-9) == "was killed by signal 9"
    assert describe_exit(3) == "ended with code 3"
