{{- define "zim-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "zim-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: manager
{{- end -}}

{{- define "zim-operator.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/part-of: zim-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "zim-operator.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (printf "%s-manager" (include "zim-operator.fullname" .)) }}
{{- end -}}

{{- define "zim-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* ClusterRoles of installs in chosen namespaces have the namespace in their names: there may be several such installs. */}}
{{- define "zim-operator.clusterName" -}}
{{ include "zim-operator.fullname" . }}
{{- if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end -}}
{{- end -}}

{{/* Who may read metrics takes a ClusterRole to ask, which an install with Roles alone does not have. */}}
{{- define "zim-operator.metrics" -}}
{{- if and .Values.metrics.enabled (not .Values.watchNamespaces) -}}true{{- end -}}
{{- end -}}

{{/* The namespaces of an install with Roles alone: the operator's own first. */}}
{{- define "zim-operator.namespaces" -}}
{{- prepend (without .Values.watchNamespaces .Release.Namespace) .Release.Namespace | toJson -}}
{{- end -}}

{{- define "zim-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "zim-operator.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}
