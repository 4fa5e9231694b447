// Addresses: a model and a program find a task by its id, by its name, and by an id as it was shown (§9, §12).

import { describe, expect, test } from "vitest";
import { agent, refusalIn, textIn, toolsOf } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { hold, refused, rejected, untilStopped } from "../../support/program.js";

describe("§9 the name of a task", () => {
  test("is an address in every tool, as its id is", async () => {
    const { session, call, manager } = agent();
    const scout = session.spawn(
      async (ctx) => {
        await ctx.receive();
        return ctx.ask({ question: "Which year?" });
      },
      { name: "scout" },
    );
    session.spawn(() => 1, { name: "other" });
    await settled();
    expect(await call("get_task", { task_id: "scout" })).toMatchObject({ task_id: scout.id, name: "scout" });
    expect(await call("list_tasks", { after: "scout" })).toMatchObject({ tasks: [{ name: "other" }] });
    await call("message_task", { task_id: "scout", message: "go" });
    await settled();
    expect(scout.record.blockedOn).toMatchObject([{ on: "input" }]);
    await call("message_task", { task_id: "scout", message: "1999", in_reply_to: "request_1" });
    const awaited = await call("await_tasks", { task_ids: ["scout", scout.id] });
    expect(awaited).toMatchObject({ reason: "done", ended: [{ task_id: scout.id, result: "1999" }] });
    // A task that is over keeps its name until another task has it.
    expect(await call("get_task", { task_id: "scout" })).toMatchObject({ status: "succeeded" });
    const next = session.spawn(untilStopped, { name: "scout" });
    expect(await call("cancel_task", { task_id: "scout" })).toMatchObject({ task_id: next.id, status: "cancelled" });
    expect(await call("get_task", { task_id: "scout" })).toMatchObject({ task_id: next.id });
    await manager.close();
  });

  test("is one within its session: elsewhere, and for the loop of another task, it is unknown", async () => {
    const { session, manager, call } = agent();
    const other = manager.session("other");
    other.spawn(untilStopped, { name: "scout" });
    const parent = hold(session, { name: "parent-of" });
    session.spawn(untilStopped, { name: "beside" });
    await settled();
    parent.ctx.spawn(untilStopped, { name: "below" });
    expect(refusalIn(await call("get_task", { task_id: "scout" }))).toContain("There is no task");
    const inside = toolsOf(parent.ctx);
    expect(await inside("get_task", { task_id: "below" })).toMatchObject({ name: "below" });
    expect(refusalIn(await inside("get_task", { task_id: "beside" }))).toContain("There is no task");
    expect([session.get("below")?.record.name, session.get("scout"), parent.ctx.get("beside")]).toEqual([
      "below",
      undefined,
      undefined,
    ]);
    await manager.close({ graceMs: 0 });
  });

  test("is an address for the program too while the task lives, and an id comes first", async () => {
    const { session, manager } = agent();
    const named = session.spawn((ctx) => ctx.receive(), { name: "scout" });
    expect(session.get("scout")?.id).toBe(named.id);
    expect(manager.get("scout")).toBeUndefined();
    const child = session.spawn(() => 1, { parent: "scout" });
    expect(child.record.parentId).toBe(named.id);
    await settled();
    const awaiting = session.awaitTasks(["scout"]);
    await named.send("enough");
    expect((await awaiting).outcomes[0]).toMatchObject({ id: named.id, status: "succeeded" });
    expect(session.get("scout")).toBeUndefined();
    await rejected(() => session.awaitTasks(["scout"]), "TASK_NOT_FOUND");
    refused(() => session.spawn(() => 1, { parent: "scout" }), "TASK_NOT_FOUND");
    session.spawn(untilStopped, { name: "mine" });
    session.spawn(untilStopped, { id: "mine" });
    expect(session.get("mine")?.record).not.toHaveProperty("name");
    await manager.close({ graceMs: 0 });
  });

  test("is shown where a task that is not there was asked for", async () => {
    const { session, call } = agent();
    session.spawn(untilStopped, { name: "scout" });
    expect(refusalIn(await call("get_task", { task_id: "scuot" }))).toContain('There are task_1 "scout"');
  });
});

describe("§9 an address that fits two tasks is refused, and never guessed", () => {
  test("a name that is the id of another living task of the session is taken", async () => {
    const { session, call, manager } = agent();
    session.spawn(untilStopped, { id: "deploy" });
    await settled();
    refused(() => session.spawn(untilStopped, { name: "deploy" }), "NAME_TAKEN");
    // The id of another session is no address here.
    manager.session("other").spawn(untilStopped, { id: "elsewhere" });
    const named = session.spawn(untilStopped, { name: "elsewhere" });
    expect(await call("get_task", { task_id: "elsewhere" })).toMatchObject({ task_id: named.id });
    await manager.close({ graceMs: 0 });
  });

  test("an id that came after the name, and names that look alike", async () => {
    const { session, call, manager } = agent();
    const named = session.spawn(untilStopped, { name: "deploy" });
    session.spawn(untilStopped, { id: "deploy" });
    session.spawn(untilStopped, { name: "w\u200Bk" });
    const second = session.spawn(untilStopped, { name: "w\u200Ck" });
    await settled();
    expect(refusalIn(await call("cancel_task", { task_id: "deploy" }))).toMatch(
      /^2 tasks have an id or a name .*"deploy"/,
    );
    expect(refusalIn(await call("cancel_task", { task_id: "wk" }))).toMatch(/^2 tasks have an id or a name .*"wk"/);
    expect(await call("cancel_task", { task_id: named.id })).toMatchObject({ status: "cancelled" });
    expect(await call("cancel_task", { task_id: second.id })).toMatchObject({ status: "cancelled" });
    // The other has the name alone by now.
    expect(await call("cancel_task", { task_id: "wk" })).toMatchObject({ status: "cancelled" });
    expect(await call("cancel_task", { task_id: "deploy" })).toMatchObject({ task_id: "deploy", status: "cancelled" });
    await manager.close();
  });
});

describe("§12 an id that is not plain", () => {
  const ids = [
    "page 1\nof 2",
    `<a> "quoted"`,
    "tags \u{E0041}\u200B in it",
    `long ${"word ".repeat(80)}`,
    "half \uD83D",
  ];
  test.each(ids)("is an address in the form in which the tools, and the view, show it: %j", async (id) => {
    const { session, call, manager } = agent();
    const task = session.spawn(untilStopped, { id });
    await settled();
    const { tasks } = (await call("list_tasks")) as { tasks: { task_id: string }[] };
    const listed = tasks[0]?.task_id ?? "";
    const viewed = /^- ("[^"]*"):/m.exec(session.view())?.[1] ?? "";
    for (const address of [listed, viewed, viewed.slice(1, -1), `"${listed}"`]) {
      const result = await call("get_task", { task_id: address, full: true });
      expect(result, address).toMatchObject({ task_id: listed, status: "running" });
    }
    expect(textIn(await call("cancel_task", { task_id: listed }), "status")).toBe("cancelled");
    expect(task.status).toBe("cancelled");
    await manager.close();
  });

  test("and is shown like another one is guessed for neither", async () => {
    const { session, call } = agent();
    session.spawn(untilStopped, { id: "a\u200B b", name: "one" });
    session.spawn(untilStopped, { id: "a \u200Bb" });
    expect(refusalIn(await call("cancel_task", { task_id: "a b" }))).toMatch(
      /^2 tasks have an id or a name that is shown as "a b": /,
    );
    expect(await call("cancel_task", { task_id: "one" })).toMatchObject({ status: "cancelled" });
    // The exact id is never ambiguous.
    expect(await call("cancel_task", { task_id: "a \u200Bb" })).toMatchObject({ status: "cancelled" });
  });
});
