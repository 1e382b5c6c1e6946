{{- /* Name of the objects of a release. */}}
{{- define "ffwatt.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- end }}

{{- define "ffwatt.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ffwatt.labels" -}}
{{ include "ffwatt.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ffwatt.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "ffwatt.fullname" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "ffwatt.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* The ports that are on, as a YAML list of a name, a port and the job of packaging/prometheus/prometheus.yml. */}}
{{- define "ffwatt.ports" -}}
- {name: metrics, port: {{ .Values.port }}, job: ffwatt}
{{- $ports := .Values.exporterPorts }}
{{- $jobs := dict "rapl" "rapl-power" "docker" "docker-stats" "results" "results-exporter" "qoe" "qoe-exporter" "cost" "cost-exporter" }}
{{- range $name, $job := $jobs }}
{{- with index $ports $name }}
- {name: {{ $name }}, port: {{ . }}, job: {{ $job }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* A number without an exponent, or a text. */}}
{{- define "ffwatt.value" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* The endpoints of a monitor. Target labels of the operator are dropped: a workload's own namespace, pod and container stay, and
a series without them (host, idle) is not given those of the agent's pod. */}}
{{- define "ffwatt.endpoints" -}}
{{- $monitor := .monitor }}
{{- range include "ffwatt.ports" .root | fromYamlArray }}
- port: {{ .name }}
  path: /metrics
  scheme: {{ lower $.root.Values.web.scheme }}
  interval: {{ $monitor.interval }}
  scrapeTimeout: {{ $monitor.scrapeTimeout }}
  honorLabels: true
  relabelings:
    - {action: replace, targetLabel: job, replacement: {{ .job }}}
    - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}
    - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: instance}
    - {action: labeldrop, regex: namespace|pod|container|endpoint|service}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $monitor.endpoint }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
