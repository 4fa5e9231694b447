// The question of a remote over restarts (§16, A3): one request, and one answer that goes back.

import type { InboxRequest, ReconcileReport } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { settled } from "../../support/basics.js";
import { outcome, request, started, task } from "../../support/restarts.js";

const ada = { by: "ada" };

/** A remote that asks until it has its answer; it does not notice that a process of ours dies. */
function far(
  asking: ReconcileReport<unknown> = { status: "asking", key: "which", question: "Which one?", choices: ["a", "b"] },
) {
  let says: ReconcileReport<unknown> = asking;
  const closed: InboxRequest[] = [];
  let isDeaf = false;
  const kind = defineKind<unknown>({
    name: "far",
    run: (ctx) => {
      ctx.link({ remoteTaskId: "r-1" });
    },
    reconcile: () => says,
    answer: (_record, answered) => {
      if (isDeaf) throw new Error("no line");
      closed.push(answered);
      says = { status: "succeeded", value: answered.answer };
    },
    canReattach: () => true,
  });
  return {
    kind,
    closed,
    says: (next: ReconcileReport<unknown>) => void (says = next),
    deaf: (is: boolean) => void (isDeaf = is),
  };
}

describe("A3 the question of a remote", () => {
  test.each(["kill", "close"])(
    "stays one open request with its id over a %s, and its answer goes back",
    async (how) => {
      const { kind, closed } = far();
      const first = await started({ kinds: [kind] });
      const { id } = first.manager.spawn(kind);
      await first.pass(3_000);
      const asked = request(first);
      if (how === "close") await first.manager.close();
      const second = await first.restart();
      expect(request(second)).toEqual(asked);
      await second.pass(3_000);
      expect(request(second)).toEqual(asked);
      await second.manager.inbox.answer(asked.id, "b", ada);
      await settled();
      expect(closed).toMatchObject([{ id: asked.id, answer: "b" }]);
      expect(await outcome(second, id)).toMatchObject({ status: "succeeded", value: "b" });
    },
  );

  test("that was answered before the restart, and not carried to the remote, goes back after it", async () => {
    const { kind, closed, deaf } = far();
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await first.pass(0);
    deaf(true);
    await first.manager.inbox.answer(request(first).id, "a", ada);
    await settled();
    deaf(false);
    const second = await first.restart();
    await second.pass(1_000);
    expect(closed).toMatchObject([{ answer: "a", by: "ada" }]);
    expect(await outcome(second, id)).toMatchObject({ value: "a" });
  });

  test("that the remote asks no more after the restart is withdrawn", async () => {
    const { kind, says } = far();
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await first.pass(0);
    const asked = request(first);
    says({ status: "running" });
    const second = await first.restart();
    await second.pass(1_000);
    expect(second.manager.inbox.get(asked.id)).toMatchObject({ status: "withdrawn" });
    expect(task(second, id).status).toBe("blocked");
  });

  test("A2 with a schema is answered after the restart, once the remote has asked again", async () => {
    const { kind, closed } = far({ status: "asking", key: "n", question: "How many?", schema: z.number() });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await first.pass(0);
    const second = await first.restart();
    const answered = second.manager.inbox.answer(request(second).id, 3, ada);
    await second.pass(1_000);
    await answered;
    await settled();
    expect(closed).toMatchObject([{ answer: 3 }]);
    expect(await outcome(second, id)).toMatchObject({ value: 3 });
  });
});
