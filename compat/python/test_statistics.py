from support import ago, refused, unique
from svix.api import BackgroundTaskListOptions
from svix.models import AppUsageStatsIn, BackgroundTaskStatus, BackgroundTaskType, MessageIn


def test_the_use_of_applications_is_counted_by_a_task(svix, app, finished):
    svix.message.create(app.id, MessageIn(event_type="order.created", payload={}))
    unknown = unique("unknown")
    usage = AppUsageStatsIn(since=ago(hours=1), until=ago(minutes=-1), app_ids=[app.uid, unknown])
    task = svix.statistics.aggregate_app_stats(usage)
    assert task.id.startswith("qtask_")
    assert (task.task, task.unresolved_app_ids) == ("application.stats", [unknown])
    end = finished(task.id)
    assert end.status == "finished"
    assert app.id in str(end.data), "the result names the application"

    kind, status = BackgroundTaskType.APPLICATION_STATS, BackgroundTaskStatus.FINISHED
    listed = svix.background_task.list(BackgroundTaskListOptions(task=kind, status=status, limit=250)).data
    assert task.id in {listed_task.id for listed_task in listed}
    assert {(listed_task.task, listed_task.status) for listed_task in listed} == {(kind, status)}
    refused(404, svix.background_task.get, "qtask_00000000000000000000000000")


def test_the_use_of_event_types_is_counted_by_a_task(svix, finished):
    task = svix.statistics.aggregate_event_types()
    assert task.task == "event-type.aggregate"
    assert finished(task.id).status == "finished"
