// errand: the front door. Every public name of the core, spelled out.

export type { AwaitOptions } from "./core/await-tasks.js";
export type { Clock } from "./core/clock.js";
export type { Stats } from "./core/core.js";
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
  TaskNotFoundError,
  TaskOutcomeError,
  TaskTerminatedError,
  UnknownKindError,
  UnknownLaneError,
} from "./core/errors.js";
export type { ManagerEventMap, TaskEvent, TaskEventMap, TaskPatch } from "./core/events.js";
export { failureInWords } from "./core/failure.js";
export type { TaskHandle, TaskRef } from "./core/handle.js";
export type { Ids } from "./core/ids.js";
export type { Inbox } from "./core/inbox.js";
export type { Json } from "./core/json.js";
export type { AnyTaskKind, TaskKind } from "./core/kind.js";
export type { LaneStats, WindowStats } from "./core/lane.js";
export type { LaneChange, LaneOptions, PerKey } from "./core/lane-options.js";
export type { Logger } from "./core/logger.js";
export type { Content, Message, Part, SendOptions } from "./core/message.js";
export type { Notice } from "./core/notice.js";
export type { NoticeOptions } from "./core/notices.js";
export type { OutputChunk } from "./core/output-ring.js";
export type { Ask, AskOptions } from "./core/question.js";
export type { Rate } from "./core/rate-limiter.js";
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
} from "./core/record.js";
export type { InboxRequest, RequestFilter, RequestKind, RequestStatus } from "./core/request.js";
export type { Retention } from "./core/retention.js";
export type { RetryOptions } from "./core/retry.js";
export type { SessionLimits, SessionOptions } from "./core/session-bounds.js";
export type { Limits } from "./core/spawn.js";
export type {
  ActiveStatus,
  FailureCode,
  InterruptReason,
  StopReason,
  TaskStatus,
  TerminalStatus,
  WaitingStatus,
} from "./core/status.js";
export type { ReadOptions, Stored, TaskStore, TornTail } from "./core/store.js";
export { type StoreView, viewStore } from "./core/store-view.js";
export type { WaitOptions } from "./core/waits.js";
export { defineKind, type KindDefinition, type RemoteKindDefinition } from "./kinds/define-kind.js";
export type { AskingReport, ReconcileReport } from "./kinds/remote/report.js";
export { TaskManager, type TaskManagerOptions } from "./manager/manager.js";
export type {
  MapOptions,
  Session,
  Spawn,
  SpawnArguments,
  SpawnInput,
  TaskContext,
  TaskFunction,
} from "./session/context.js";
export type { NoticeBatch } from "./session/notice-batch.js";
export type { AwaitResult, AwaitTasks, Get, OutcomeOf, OutcomesOf, SpawnOptions } from "./session/scope.js";
export type { TaskToolName } from "./session/tools/names.js";
export type { TaskTool, TaskToolCall } from "./session/tools/tool.js";
export type { ToolOptions, ToolSpawnOptions } from "./session/tools.js";
export type { ViewOptions } from "./session/view.js";
