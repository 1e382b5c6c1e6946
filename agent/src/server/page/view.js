// Keeps the view in the hash of the address: a reload and a shared link show the same, and the back button closes the drawer.
//
// Browsers do not send the hash, so no server and no proxy sees a filter or a name.
"use strict";

class View {
  /** `tables` by their names in the address; `apply` filters the tables. */
  constructor({ tables, filter, pseudo, drawer, apply }) {
    Object.assign(this, { tables, filter, pseudo, drawer, apply });
    addEventListener("popstate", () => this.restore());
  }

  /** Only what differs from the usual view. */
  get address() {
    const words = new URLSearchParams();
    if (this.filter.value !== "") words.set("filter", this.filter.value);
    if (!this.pseudo.checked) words.set("system", "hidden");
    for (const [name, table] of Object.entries(this.tables)) {
      if (table.order !== "") words.set(`${name}.sort`, table.order);
      const shown = [table.isAll ? "all" : "", table.isUnfolded ? "ended" : ""].filter((word) => word !== "");
      if (shown.length > 0) words.set(`${name}.show`, shown.join(" "));
    }
    const target = this.drawer.target;
    if (target?.kind === "encode" || target?.kind === "host") words.set(target.kind, target.key);
    if (target?.kind === "workload") {
      const [name, id] = target.key.split("\n");
      words.set("workload", name);
      if (id !== "") words.set("id", id);
    }
    const hash = words.toString();
    return `${location.pathname}${location.search}${hash === "" ? "" : `#${hash}`}`;
  }

  /** Shows what the address says. Words that it does not know are ignored. */
  restore() {
    const words = new URLSearchParams(location.hash.slice(1));
    this.filter.value = words.get("filter") ?? "";
    this.pseudo.checked = words.get("system") !== "hidden";
    for (const [name, table] of Object.entries(this.tables)) {
      const shown = (words.get(`${name}.show`) ?? "").split(" ");
      table.order = words.get(`${name}.sort`) ?? "";
      table.isAll = shown.includes("all");
      table.isUnfolded = shown.includes("ended");
      table.arrange();
    }
    this.apply();
    const workload = words.has("workload") ? { kind: "workload", key: `${words.get("workload")}\n${words.get("id") ?? ""}` } : null;
    const named = ["encode", "host"].find((kind) => words.has(kind));
    this.drawer.show(named ? { kind: named, key: words.get(named) } : workload);
  }

  changed() {
    history.replaceState(history.state, "", this.address);
  }

  /** The back button closes the drawer, so an open drawer has an entry of its own. */
  opened(isFirst) {
    if (isFirst) history.pushState({ hasDrawer: true }, "", this.address);
    else this.changed();
  }

  /** A drawer of a shared link has no entry before it. */
  closed() {
    if (history.state?.hasDrawer) history.back();
    else this.changed();
  }
}
