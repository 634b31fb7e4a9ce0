#!/usr/bin/env python3
"""Writes the dashboards' JSON from short descriptions of their panels.

    generate.py            writes dashboards/*.json
    generate.py --check    exit 1 where a file is not what it would write
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 24, 8  # Of Grafana's grid; of a panel.
# Label matchers: of every series, and of those that are by checkpoint.
ALL = 'job=~"$job"'
MODEL = 'job=~"$job",checkpoint=~"$checkpoint"'


def rate(metric, by, matchers=ALL):
    return f"sum by ({by}) (rate(alignsae_{metric}{{{matchers}}}[$__rate_interval]))"


def quantile(q, metric, by="le", matchers=ALL):
    return f"histogram_quantile({q}, {rate(metric + '_bucket', by, matchers)})"


def above(metric, bound):
    """Of each concept, the part of the observations that are above `bound`."""
    below = rate(metric + "_bucket", "concept", f'{MODEL},le="{bound}"')
    return f"1 - {below} / {rate(metric + '_count', 'concept', MODEL)}"


def target(expr, legend="", kind="time_series", instant=False):
    return {"datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto",
            "format": kind, "instant": instant, "range": not instant, "editorMode": "code"}


class Panel:
    """One panel; `targets` are (query, legend)."""

    def __init__(self, kind, title, text, targets, *, width=8, unit="short", options=None,
                 custom=None, steps=None, form="time_series", instant=False, limits=None,
                 transformations=None):
        self.width = width
        thresholds = [{"color": "green", "value": None}]
        thresholds += [{"color": color, "value": value} for value, color in steps or ()]
        defaults = {"unit": unit, "color": {"mode": "thresholds" if steps else "palette-classic"},
                    "thresholds": {"mode": "absolute", "steps": thresholds}}
        if limits:
            defaults["min"], defaults["max"] = limits
        if custom:
            defaults["custom"] = custom
        self.json = {
            "type": kind, "title": title, "description": text, "datasource": SOURCE,
            "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options or {},
            "targets": [{**target(expr, legend, form, instant), "refId": chr(ord("A") + i)}
                        for i, (expr, legend) in enumerate(targets)]}
        if transformations:
            self.json["transformations"] = transformations


LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
LINES = {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}
LAST = {"calcs": ["lastNotNull"], "values": False}
BARS = {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": LAST,
        "valueMode": "color", "namePlacement": "auto", "showUnfilled": True, "sizing": "auto",
        "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
        "legend": {**LEGEND, "showLegend": False}}
STAT = {"reduceOptions": LAST, "colorMode": "value", "graphMode": "none", "justifyMode": "auto",
        "textMode": "auto", "wideLayout": True, "showPercentChange": False,
        "percentChangeColorMode": "standard", "orientation": "auto"}
HEAT = {"calculate": False, "cellGap": 1, "showValue": "never", "legend": {"show": True},
        "color": {"mode": "scheme", "scheme": "Blues", "fill": "dark-orange", "exponent": 0.5,
                  "steps": 64, "reverse": False},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"}, "yAxis": {"axisPlacement": "left"}}


def lines(title, text, *targets, stacked=False, **more):
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    if stacked:
        custom.update(fillOpacity=60, stacking={"mode": stacked, "group": "A"})
    if more.get("steps"):
        custom["thresholdsStyle"] = {"mode": "line"}
    return Panel("timeseries", title, text, targets, options=LINES, custom=custom, **more)


def bars(title, text, *targets, **more):
    return Panel("bargauge", title, text, targets, instant=True, limits=more.pop("limits", (0, 1)),
                 options=BARS, **more)


def heat(title, text, metric, matchers=MODEL, **more):
    expr = f"sum by (le) (increase(alignsae_{metric}_bucket{{{matchers}}}[$__rate_interval]))"
    return Panel("heatmap", title, text, [(expr, "{{le}}")], form="heatmap",
                 options=HEAT, **more)


def stat(title, text, expr, **more):
    return Panel("stat", title, text, [(expr, "")], width=more.pop("width", 4), instant=True,
                 options=STAT, **more)


def table(title, text, expr, *, transformations=None, **more):
    hide = {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}
    return Panel("table", title, text, [(expr, "")], form="table", instant=True,
                 options={"showHeader": True, "frameIndex": 0}, transformations=transformations or [hide], **more)


SHARE = {"unit": "percentunit", "limits": (0, 1)}

CONCEPTS = [
    ("What is asked", [
        lines("Share of prompts", "By the concept on top; `none`: no slot reached its threshold.",
              (rate("concept_top_total", "concept", MODEL), "{{concept}}"),
              stacked="percent", width=12),
        lines("Drift", "PSI of the last hour's shares: from the bundle's evaluation, and from "
              "yesterday (there after a day). 0.25 is much.",
              (f"alignsae:concept_drift:psi1h{{{MODEL}}}", "{{checkpoint}}: from the evaluation"),
              (f"alignsae:concept_shift:psi1h{{{MODEL}}}", "{{checkpoint}}: from yesterday"),
              steps=[(0.1, "yellow"), (0.25, "red")], width=12),
        bars("Share of the last hour", "What drift compares with the reference beside it.",
             (f"sum by (concept) (alignsae:concept_top:share1h{{{MODEL}}})", "{{concept}}"),
             unit="percentunit", width=12),
        bars("Reference", "Shares of the prompts that the bundle was evaluated on.",
             (f"max by (concept) (alignsae_concept_reference_share{{{MODEL}}})", "{{concept}}"),
             unit="percentunit", width=12)]),
    ("How sure", [
        heat("Confidence", "Probability of the top concept at the last prompt token.",
             "concept_confidence"),
        lines("Clear margins", "Share of prompts whose top concept is 0.5 above the runner-up.",
              (above("concept_margin", "0.5"), "{{concept}}"), **SHARE),
        lines("Slot values above half their mean",
              "Of all prompts. Each prompt is an observation of every slot, so quantiles say "
              "little; shares say how often a slot is active.",
              (above("slot_activation_ratio", "0.5"), "{{concept}}"), **SHARE),
        heat("Slot values", "Of the concept chosen above, in calibrated means.",
             "slot_activation_ratio", MODEL + ',concept=~"$concept"'),
        lines("Generated tokens", "By the concept on top, of answers with `concept_trace`.",
              (rate("generated_concept_total", "concept", MODEL), "{{concept}}"),
              stacked="normal", unit="cps"),
        bars("Calibration", "Mean of a slot where its concept is asked, and its threshold.",
             (f"max by (concept) (alignsae_concept_active_mean{{{MODEL}}})", "{{concept}}: mean"),
             (f"max by (concept) (alignsae_concept_threshold{{{MODEL}}})",
              "{{concept}}: threshold"), limits=(0, 5))]),
    ("Steering", [
        lines("Interventions", "By mode.", (rate("steering_total", "mode"), "{{mode}}"),
              stacked="normal", unit="cps"),
        table("What was steered to what", "Interventions in the chosen time: rows cleared, "
              "columns written; `none`: nothing; `other`: a slot without a name.",
              "sum by (source, target) "
              f"(increase(alignsae_steering_concept_total{{{MODEL}}}[$__range]))",
              transformations=[{"id": "groupingToMatrix", "options": {
                  "rowField": "source", "columnField": "target", "valueField": "Value"}}],
              width=16),
        heat("Alpha", "In calibrated means, or a factor; unit RAW is left out.",
             "steering_alpha", ALL),
        lines("Without effect", "Share of interventions of each mode that changed nothing, or "
              "after which the written concept was not bound.",
              (f"alignsae:steering_ineffective:ratio15m{{{ALL}}}", "{{mode}}"),
              steps=[(0.2, "red")], **SHARE),
        lines("Without effect, by reason", "Interventions a second.",
              (rate("steering_ineffective_total", "reason"), "{{reason}}"), unit="cps"),
        lines("Size of the change", "Norm of the change over the norm of the residual.",
              (quantile(0.5, "steering_norm_ratio"), "p50"),
              (quantile(0.95, "steering_norm_ratio"), "p95"))]),
    ("The bundle", [
        bars("Stored evaluation", "On its test prompts; `unseen`: wordings that the language "
             "model never saw.",
             (f"max by (checkpoint, figure) (alignsae_checkpoint_evaluation{{{MODEL}}})",
              "{{checkpoint}}: {{figure}}"), unit="percentunit", width=12),
        bars("Write certificates", "Of each concept: the share of its difference that the slots "
             "write, and the share of swaps to it that succeeded.",
             (f"max by (concept) (alignsae_concept_written_share{{{MODEL}}})",
              "{{concept}}: written"),
             (f"max by (concept) (alignsae_concept_measured_swap{{{MODEL}}})",
              "{{concept}}: swaps"), unit="percentunit", width=12),
        table("Checkpoints", "Loaded now.",
              f'count by (name, version, sha256) (alignsae_checkpoint_info{{{ALL}}})',
              width=12)]),
]


def percentiles(metric, *, by="", legend=""):
    labels = f"{by}, le" if by else "le"
    return [(quantile(q, metric, labels), f"p{q * 100:g}{legend}") for q in (0.5, 0.95, 0.99)]


SERVICE = [
    ("Calls", [
        lines("Calls", "By method.", (rate("rpc_requests_total", "method"), "{{method}}"),
              unit="reqps"),
        lines("Errors by code", "All but OK.",
              (rate("rpc_requests_total", "code", ALL + ',code!="OK"'), "{{code}}"),
              unit="reqps"),
        lines("Error budget", "How many times faster than the objective of 99.9 % allows.",
              (f"alignsae:rpc_errors:ratio5m{{{ALL}}} / 0.001", "{{job}}: 5 minutes"),
              (f"alignsae:rpc_errors:ratio1h{{{ALL}}} / 0.001", "{{job}}: an hour"),
              (f"alignsae:rpc_errors:ratio6h{{{ALL}}} / 0.001", "{{job}}: 6 hours"),
              steps=[(1, "yellow"), (14.4, "red")]),
        lines("Duration, p95", "From the call to its status.",
              (quantile(0.95, "rpc_duration_seconds", "method, le"), "{{method}}"), unit="s"),
        lines("Calls that run", "By method.",
              (f"sum by (method) (alignsae_rpc_in_flight{{{ALL}}})", "{{method}}")),
        lines("Refused", "By reason, before they ran.",
              (rate("rejected_total", "reason"), "{{reason}}"), unit="reqps")]),
    ("Front door", [
        lines("Connections", "Of the front door over HTTP; 0 where it is off.",
              (f"alignsae_http_connections{{{ALL}}}", "{{instance}}")),
        lines("Refused at the front door", "By reason, before they were calls.",
              (rate("http_refused_total", "reason"), "{{reason}}"), unit="reqps")]),
    ("Tokens", [
        lines("Tokens", "Computed and generated, and those that were not computed again: shared by "
              "forks, kept of prompts that begin alike.",
              (rate("prompt_tokens_total", "job"), "prompt"),
              (rate("generated_tokens_total", "job"), "generated"),
              (rate("prefix_tokens_saved_total", "job"), "shared"),
              (rate("prefix_cache_tokens_saved_total", "job"), "kept"), unit="cps"),
        lines("Prompts that begin alike", "Beginning was kept, was not, or could not be used.",
              (rate("prefix_cache_prompts_total", "result"), "{{result}}"), unit="reqps"),
        lines("Time to first token", "From submission.",
              *percentiles("time_to_first_token_seconds"), unit="s", steps=[(2.5, "red")]),
        lines("Time of an output token", "Mean of a sequence after its first.",
              *percentiles("time_per_output_token_seconds"), unit="s")]),
    ("Queue and steps", [
        lines("KV slots", "In use, of all, and sequences that wait.",
              (f"sum(alignsae_kv_slots_in_use{{{ALL}}})", "in use"),
              (f"sum(alignsae_kv_slots{{{ALL}}})", "there are"),
              (f"sum(alignsae_queue_depth{{{ALL}}})", "waiting")),
        lines("KV tokens", "Given to what runs, of all, and asked for by what waits.",
              (f"sum(alignsae_kv_tokens_in_use{{{ALL}}})", "in use"),
              (f"sum(alignsae_kv_tokens{{{ALL}}})", "there are"),
              (f"sum(alignsae_queue_tokens{{{ALL}}})", "waiting")),
        lines("Wanted KV cache", "In use and waiting, over what there is, of the scarcer of slots "
              "and tokens; the autoscaler's signal.",
              (f"alignsae:kv:wanted_ratio{{{ALL}}}", "{{job}}"), unit="percentunit",
              steps=[(1, "red")]),
        lines("Wait for a slot", "From submission.", *percentiles("queue_wait_seconds"), unit="s",
              steps=[(1, "red")]),
        lines("Step", "Time of one step of the model.", *percentiles("step_duration_seconds"),
              unit="s"),
        lines("Sequences in a step", "Mean.",
              (f"{rate('step_rows_sum', 'job')} / {rate('step_rows_count', 'job')}", "{{job}}")),
        lines("From cancel to free slot", "Of clients that gave up.",
              (quantile(0.95, "cancel_to_free_seconds"), "p95"), unit="s")]),
    ("Process", [
        lines("Processors", "CPU seconds a second.",
              (f"rate(process_cpu_seconds_total{{{ALL}}}[$__rate_interval])", "{{instance}}")),
        lines("Memory", "Resident, and what calls hold.",
              (f"process_resident_memory_bytes{{{ALL}}}", "{{instance}}"),
              (f"alignsae_call_memory_bytes{{{ALL}}}", "{{instance}}: calls"), unit="bytes"),
        lines("Descriptors", "Share of the limit.",
              (f"process_open_fds{{{ALL}}} / process_max_fds{{{ALL}}}", "{{instance}}"),
              steps=[(0.8, "red")], **SHARE),
        stat("Up", "Servers that answer.", f"sum(up{{{ALL}}})"),
        stat("Load", "Slowest load of a model.",
             f"max(alignsae_model_load_seconds{{{ALL}}})", unit="s"),
        stat("Warm-up", "Slowest first steps.",
             f"max(alignsae_model_warm_up_seconds{{{ALL}}})", unit="s"),
        stat("Lost log lines", "Nobody read them in time.",
             f"sum(increase(alignsae_log_lines_dropped_total{{{ALL}}}[$__range]))",
             steps=[(1, "red")]),
        stat("Running since", "The oldest.",
             f"1000 * min(process_start_time_seconds{{{ALL}}})", unit="dateTimeFromNow"),
        table("Loaded", "What each server runs.",
              f"count by (instance, version) (alignsae_build_info{{{ALL}}})", width=4)]),
]


def variable(name, label, query):
    return {"type": "query", "name": name, "label": label, "datasource": SOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2,
            "includeAll": True, "multi": True, "allValue": ".*",
            "current": {"text": "All", "value": "$__all"}, "sort": 1}


def variables(by_concept):
    found = [{"type": "datasource", "name": "datasource", "label": "Prometheus",
              "query": "prometheus", "current": {"text": "", "value": ""}},
             variable("job", "Job", "label_values(alignsae_build_info, job)")]
    if by_concept:
        found += [variable("checkpoint", "Checkpoint",
                           f"label_values(alignsae_concept_top_total{{{ALL}}}, checkpoint)"),
                  variable("concept", "Concept",
                           f"label_values(alignsae_slot_activation_ratio_count{{{MODEL}}}, "
                           "concept)")]
    return found


def laid_out(rows):
    """Panels of each row from left to right, with ids and places."""
    panels, y = [], 0
    for title, row in rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        x, y = 0, y + 1
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            panels.append({**panel.json,
                           "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT}})
            x += panel.width
        y += HEIGHT
    return [{"id": i + 1, **panel} for i, panel in enumerate(panels)]


def dashboard(uid, title, rows, by_concept):
    links = [{"type": "dashboards", "title": "AlignSAE", "tags": ["alignsae"], "asDropdown": False,
              "icon": "external link", "includeVars": True, "keepTime": True, "targetBlank": False,
              "tooltip": "", "url": None}]
    return {"uid": uid, "title": title, "tags": ["alignsae"], "schemaVersion": 39,
            "timezone": "browser", "editable": True, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"}, "fiscalYearStartMonth": 0, "links": links,
            "annotations": {"list": []}, "templating": {"list": variables(by_concept)},
            "panels": laid_out(rows)}


DASHBOARDS = {
    "alignsae-concepts.json": dashboard("alignsae-concepts", "AlignSAE: concepts", CONCEPTS, True),
    "alignsae-service.json": dashboard("alignsae-service", "AlignSAE: service", SERVICE, False),
}


def main():
    stale = []
    for name, board in DASHBOARDS.items():
        text = json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        path = HERE / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    for name in stale:
        print(f"{name}: is not what generate.py writes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
