// errand: the front door. Every public name of the core, spelled out.

export type { ReadOptions, Stored, TaskStore, TornTail } from "./core/durable/store.js";
export type { Inbox } from "./core/inbox/inbox.js";
export type { Ask, AskOptions } from "./core/inbox/question.js";
export type { AnyTaskKind, TaskKind } from "./core/kinds/kind.js";
export type { LaneChange, LaneOptions, PerKey } from "./core/lanes/lane-options.js";
export type { LaneStats, WindowStats } from "./core/lanes/lane-stats.js";
export type { Rate } from "./core/lanes/rate-limiter.js";
export type { OutputChunk } from "./core/live/output-ring.js";
export type { NoticeOptions } from "./core/notices/notice-reading.js";
export type { AwaitOptions } from "./core/outcomes/await-tasks.js";
export type { Retention } from "./core/run/retention.js";
export type { Stats } from "./core/run/stats.js";
export type { Limits } from "./core/spawn/limits.js";
export type { SessionLimits, SessionOptions } from "./core/spawn/session-bounds.js";
export {
  AlreadyAnsweredError,
  type AnyErrandError,
  AwaitCycleError,
  ErrandError,
  type ErrandErrorCode,
  EventsCompactedError,
  IdConflictError,
  InvalidInputError,
  isErrandError,
  JournalCorruptError,
  LimitExceededError,
  ManagerClosedError,
  NameTakenError,
  OutputLostError,
  QueueFullError,
  RequestExpiredError,
  RequestNotFoundError,
  RequestRejectedError,
  ReservedNameError,
  ScopeCancelledError,
  StoreLockedError,
  StoreUnavailableError,
  TaskCancelledError,
  TaskElsewhereError,
  TaskNotFoundError,
  TaskOutcomeError,
  TaskTerminatedError,
  UnknownKindError,
  UnknownLaneError,
} from "./core/task/errors.js";
export type { ManagerEventMap, TaskEvent, TaskEventMap, TaskPatch } from "./core/task/events.js";
export { failureInWords } from "./core/task/failure.js";
export type { Content, Message, Part, SendOptions } from "./core/task/message.js";
export type { Notice } from "./core/task/notice.js";
export type {
  Artifact,
  ArtifactInput,
  Budget,
  ChildrenPolicy,
  FailureCause,
  LinksInput,
  Progress,
  Runtime,
  TaskFailure,
  TaskFilter,
  TaskLinks,
  TaskOutcome,
  TaskRecord,
  TaskTree,
  Usage,
  UsageReport,
  Wait,
  Wake,
  Weight,
} from "./core/task/record.js";
export type { InboxRequest, RequestFilter, RequestKind, RequestStatus } from "./core/task/request.js";
export type { RetryOptions } from "./core/task/retry.js";
export type {
  ActiveStatus,
  FailureCode,
  InterruptReason,
  StopReason,
  TaskStatus,
  TerminalStatus,
  WaitingStatus,
} from "./core/task/status.js";
export type { Clock } from "./core/time/clock.js";
export type { Ids } from "./core/values/ids.js";
export type { Json } from "./core/values/json.js";
export type { Logger } from "./core/values/logger.js";
export type { WaitOptions } from "./core/waits/waits.js";
export { defineKind, type KindDefinition, type RemoteKindDefinition } from "./kinds/define-kind.js";
export type { AskingReport, ReconcileReport } from "./kinds/remote/report.js";
export { TaskManager } from "./manager/manager.js";
export type { TaskManagerOptions } from "./manager/manager-options.js";
export { type StoreView, viewStore } from "./manager/store-view.js";
export type { TaskToolName } from "./model/prompt/tool-names.js";
export type { ViewOptions } from "./model/prompt/view.js";
export type { ToolOptions, ToolSpawnOptions } from "./model/tools/session-tools.js";
export type { TaskTool, TaskToolCall } from "./model/tools/tool.js";
export type { AwaitResult, AwaitTasks, OutcomeOf, OutcomesOf } from "./session/awaiting.js";
export type { NoticeBatch } from "./session/notice-batch.js";
export type { Session, Spawn, TaskContext, TaskFunction } from "./session/session.js";
export type { MapOptions, SpawnArguments, SpawnInput, SpawnOptions } from "./session/spawn-arguments.js";
export type { Get, TaskHandle, TaskRef } from "./session/task-handle.js";
export type { TaskReports } from "./session/task-reports.js";
