package environments

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

//go:generate go test -tags urfave_cli_no_docs -run ^TestDocsAreUpToDate$ . -update

// blockType is a block that may be written in barge.hcl.
type blockType struct {
	name    string
	label   labelKind
	once    bool // at most one in the block around it
	several bool // any number without a label
	attrs   []attr
	blocks  []*blockType
	open    bool   // its attributes are the user's own: locals
	later   bool   // known, and refused as not yet supported
	doc     string // one line, for the docs
}

type labelKind int

const (
	noLabel    labelKind = iota
	identifier           // an HCL identifier
	freeText
)

// attr is an attribute of a block.
type attr struct {
	name      string
	kind      kind
	part      part
	required  bool
	ref       string             // reference, references: the kind of block that is named
	oneOf     []string           // text: the words it may be
	notYet    []string           // text: words that are known, and refused as not yet supported
	check     func(string) error // text: each text of it; texts: likewise; table: each key
	fields    []attr             // object: what it holds
	later     bool
	elsewhere bool   // evaluated with the variables
	prose     bool   // text: of any number of lines
	empty     bool   // text: may be empty
	such      string // what a value looks like, for hints
	doc       string // one line, for the docs; what holds without it stands in brackets
}

// kind says what the value of an attribute must be.
type kind int

const (
	text       kind = iota
	scalar          // text, or a number that stands for it
	number          // a whole number, not negative
	boolean         // true or false
	duration        // text that is a Duration
	texts           // a list of text
	table           // text → text, or a number or flag that stands for it
	bindings        // a table whose values may name what is known at deploy only
	reference       // the name of a block, never evaluated
	references      // a list of them
	secret          // what secret() gives
	condition       // an expression over the facts of an answer, never evaluated here
	object          // a map with fields of its own
	typeName        // string, number, bool, list(…) or map(…)
	anything        // whatever it is: a variable's default, a local
)

func (a attr) expected() string {
	return [...]string{
		text: "text", scalar: "text", number: "a whole number from 0 on", boolean: "true or false",
		duration: `a duration such as "30m"`, texts: "a list of text", table: "a map of text", bindings: "a map of text",
		reference: a.ref + ".NAME", references: "a list of " + a.ref + ".NAME", secret: "a secret", condition: "a condition",
		object: "a map", typeName: "a type", anything: "a value",
	}[a.kind]
}

// root is the whole of barge.hcl.
var root = &blockType{blocks: []*blockType{
	{
		name: "project", label: identifier, once: true, doc: "what all the rest belongs to",
		attrs: []attr{
			{name: "store", kind: text, part: where, check: storeAddress, doc: `where artifacts are kept: "oci-layout:PATH" or "oci://HOST/REPOSITORY"`},
			{name: "tag_prefix", kind: text, part: where, empty: true, doc: `what the tag of a release begins with ("v")`},
		},
	},
	{
		name: "variable", label: identifier, doc: "what is given from outside, by --var NAME=VALUE or BARGE_VAR_NAME",
		attrs: []attr{
			{name: "type", kind: typeName, elsewhere: true, doc: "string, number, bool, or list(…) or map(…) of one of them (string)"},
			{name: "default", kind: anything, elsewhere: true, doc: "its value when none is given"},
			{name: "description", kind: text, prose: true, doc: "for people"},
		},
		blocks: []*blockType{{
			name: "validation", several: true, doc: "what its value must be like",
			attrs: []attr{
				{name: "condition", kind: boolean, elsewhere: true, required: true, such: `var.NAME != ""`, doc: "what must be true of it"},
				{name: "error_message", kind: text, elsewhere: true, required: true, such: `"it must …"`, doc: "what is said when it is not"},
			},
		}},
	},
	{name: "locals", open: true, doc: "names for values: local.NAME"},
	artifactBlock,
	{
		name: "workspace", label: identifier, doc: "a Databricks workspace",
		attrs: []attr{
			{name: "host", kind: text, part: where, required: true, check: hostURL, such: `"https://adb-1.1.azuredatabricks.net"`, doc: "its URL, without a path"},
		},
		blocks: []*blockType{authBlock},
	},
	{
		name: "registry", label: identifier, doc: "where model versions live",
		attrs: []attr{
			{name: "kind", kind: text, required: true, oneOf: []string{WorkspaceRegistry, UnityCatalog, MLflow}, doc: "what keeps it: a workspace, which has stages; Unity Catalog or an MLflow server, which have aliases"},
			{name: "workspace", kind: reference, ref: "workspace", part: where, doc: "the workspace whose registry it is, or whose metastore; needed but for mlflow"},
			{name: "host", kind: text, part: where, check: serverURL, such: `"https://mlflow.example.com"`, doc: "the MLflow server's URL, without a path; needed for mlflow, and for it alone"},
			{name: "token", kind: secret, part: where, doc: "the MLflow server's token (it wants none)"},
		},
		blocks: []*blockType{{
			name: "remote", label: identifier, once: true, doc: "makes the registry of a workspace known where it is used, as databricks://SCOPE:PREFIX",
			attrs: []attr{
				{name: "scope", kind: text, required: true, such: `"registry"`, doc: "the secret scope"},
				{name: "prefix", kind: text, required: true, such: `"registry"`, doc: "what the names of its three secrets begin with"},
				{name: "token", kind: secret, part: where, required: true, doc: "the registry's token"},
			},
		}},
	},
	computeBlock,
	environmentBlock,
	{name: "data_factory", label: identifier, later: true},
	{name: "trust", later: true},
}}

var artifactBlock = &blockType{
	name: "artifact", once: true, doc: "what a build takes from a commit; without it releases come from the store",
	blocks: []*blockType{
		{
			name: "notebooks", once: true, doc: "the files that ship as notebooks",
			attrs: []attr{
				{name: "from", kind: text, required: true, check: repositoryPath, such: `"notebooks"`, doc: "the folder they stand in"},
				{name: "include", kind: texts, check: patternBelow, doc: "patterns of what ships (every file that can be a notebook)"},
				{name: "exclude", kind: texts, check: patternBelow, doc: "patterns of what does not"},
				{name: "external", kind: texts, check: pattern, doc: "patterns of what notebooks run or import that stands in the workspace already"},
			},
		},
		{
			name: "config", once: true, doc: "the files that ship as workspace files",
			attrs: []attr{{name: "from", kind: text, required: true, check: repositoryPath, such: `"conf"`, doc: "the folder they stand in"}},
		},
		{
			name: "model", label: identifier, doc: "a model: a version of a registered one, or a file of the commit",
			attrs: []attr{
				{name: "name", kind: text, doc: "the registry's own name of it (the label); in Unity Catalog catalog.schema.model"},
				{name: "registry", kind: reference, ref: "registry", doc: "where its versions live"},
				{name: "version", kind: scalar, check: modelVersion, doc: `"trained", a number, "latest", a stage or "@alias"`},
				{name: "path", kind: text, check: repositoryPath, doc: "the file, where it is one"},
			},
			blocks: []*blockType{{
				name: "train", once: true, doc: "how a version comes to be",
				attrs: []attr{
					{name: "environment", kind: reference, ref: "environment", required: true, doc: "where it is trained"},
					{name: "notebook", kind: text, required: true, check: notebookName, such: `"train"`, doc: "what trains it"},
					{name: "compute", kind: reference, ref: "compute", doc: "on what (serverless)"},
					{name: "parameters", kind: table, check: parameterName, doc: "more widgets for the notebook"},
					{name: "timeout", kind: duration, doc: "how long it may take (2h)"},
				},
			}},
		},
	},
}

// authKinds are the ways to sign in, with the settings that each understands. "!" marks a secret that must be written;
// a setting that is not may stand in the environment of the process, under the platform's own name.
var authKinds = map[string][]string{
	"azure-cli":         {"tenant_id"},
	"azure-pipelines":   {"service_connection", "tenant_id", "client_id", "token"},
	"client-secret":     {"tenant_id", "client_id", "client_secret!"},
	"github-oidc":       {"tenant_id", "client_id"},
	"managed-identity":  {"client_id"},
	"token":             {"token!"},
	"workload-identity": {"tenant_id", "client_id", "token_file"},
}

var authBlock = &blockType{
	name: "auth", label: identifier, once: true, doc: "how barge signs in (azidentity's chain)",
	attrs: []attr{
		{name: "service_connection", kind: text, part: where, doc: "the service connection of Azure Pipelines"},
		{name: "tenant_id", kind: text, part: where, doc: "the directory"},
		{name: "client_id", kind: text, part: where, doc: "the application or the identity"},
		{name: "token_file", kind: text, part: where, doc: "the file with the federated token"},
		{name: "client_secret", kind: secret, part: where, doc: "the application's secret"},
		{name: "token", kind: secret, part: where, doc: "a token to sign in with; for azure-pipelines the pipeline's own, found in SYSTEM_ACCESSTOKEN where it is not written"},
	},
}

var computeBlock = &blockType{
	name: "compute", label: identifier, doc: "what a run gets",
	attrs: []attr{
		{name: "spark_version", kind: text, doc: "the runtime of a cluster of its own"},
		{name: "node_type", kind: text, doc: "its nodes"},
		{name: "driver_node_type", kind: text, doc: "its driver (as its nodes)"},
		{name: "num_workers", kind: number, doc: "how many workers (0: one node alone)"},
		{name: "autoscale", kind: object, such: "{ min = 1, max = 4 }", doc: "between how many workers it scales", fields: []attr{
			{name: "min", kind: number, required: true},
			{name: "max", kind: number, required: true},
		}},
		{name: "libraries", kind: texts, check: library, doc: `what is installed on it: "pypi:mlflow==2.16.2"`},
		{name: "existing_cluster", kind: text, doc: "the id of a cluster that is there already"},
		{name: "policy", kind: text, doc: "the id of a cluster policy"},
		{name: "spark_conf", kind: table, doc: "Spark's settings"},
		{name: "env", kind: table, doc: "environment variables; nothing secret"},
		{name: "serverless", kind: boolean, doc: "no cluster at all (false)"},
	},
}

var expectBlock = &blockType{
	name: "expect", label: freeText, doc: "a condition on the notebook's answer",
	attrs: []attr{
		{name: "when", kind: condition, part: rule, doc: "whether it applies (always)"},
		{name: "that", kind: condition, part: rule, required: true, doc: "what must be true"},
	},
}

var environmentBlock = &blockType{
	name: "environment", label: identifier, doc: "a place that a release is promoted to",
	attrs: []attr{
		{name: "title", kind: text, part: where, doc: "what people call it (its name)"},
		{name: "follows", kind: references, ref: "environment", part: rule, doc: "where a release must have been before"},
		{name: "workspace", kind: reference, ref: "workspace", part: where, required: true, doc: "the workspace it is in"},
		{name: "path", kind: text, part: where, required: true, check: workspacePath, such: `"/Barge/diabetes"`, doc: "the folder below which releases and ledger stand"},
		{name: "operators", kind: texts, part: rule, check: principal, doc: "for whom a rollback must work"},
		{name: "soak", kind: duration, part: rule, doc: "how long a release must have been proven upstream"},
		{name: "formerly", kind: texts, part: where, check: formerName, doc: "the names that it had before, the oldest first"},
		{name: "extends", kind: reference, ref: "environment", part: where, doc: "the environment that it is like, but for where it is and for what is said here"},
		{name: "upstream", kind: text, later: true},
	},
	blocks: []*blockType{
		{
			name: "deploy", once: true, doc: "what of the artifact goes there, and how it is bound to it",
			attrs: []attr{
				{name: "only", kind: texts, check: notebookName, doc: "notebooks, with all they reach by %run (all)"},
				{name: "config", kind: text, check: repositoryPath, doc: "the environment's config file"},
				{name: "bind", kind: bindings, doc: "exact text, and what stands there instead"},
				{name: "permissions", kind: table, check: principal, doc: "who may do what with the folder"},
			},
		},
		{
			name: "model", label: identifier, doc: "the slot of a model's registry that is the environment's",
			attrs: []attr{
				{name: "stage", kind: text, oneOf: []string{"Staging", "Production"}, doc: "the stage, where the registry is a workspace's"},
				{name: "archive_existing", kind: boolean, doc: "whether what stood in the stage is archived (false)"},
				{name: "alias", kind: text, check: CheckAlias, such: `"champion"`, doc: "the alias, where the registry has aliases instead of stages"},
				{name: "name", kind: text, later: true},
			},
		},
		gateBlock,
		scoreBlock,
		{name: "approvals", later: true},
		{name: "freeze", label: freeText, later: true},
		{name: "trust", later: true},
	},
}

var gateBlock = &blockType{
	name: "gate", label: identifier, doc: "a question that must be answered before the environment may change",
	attrs: []attr{
		{name: "notebook", kind: text, check: notebookName, doc: "what answers it; needed where there is an artifact block"},
		{name: "compute", kind: reference, ref: "compute", doc: "on what (serverless)"},
		{name: "parameters", kind: table, part: rule, check: parameterName, doc: "more widgets for the notebook"},
		{name: "timeout", kind: duration, doc: "how long it may take (2h)"},
		{name: "valid_for", kind: duration, part: rule, doc: "how long its evidence stands (30d)"},
		{name: "against", kind: reference, ref: "environment", part: rule, doc: "whose champion is champion (its own)"},
		{name: "compare", kind: text, part: rule, oneOf: []string{"rerun", "recorded"}, doc: "how the champion's facts are come by (rerun)"},
		{name: "retries", kind: number, doc: "how often it is run again when it errored (0)"},
		{name: "pinned", kind: boolean, part: rule, doc: "whether the notebook itself is a rule (false)"},
		{name: "models", kind: texts, part: rule, doc: "which models it must have loaded (every one of the environment)"},
	},
	blocks: []*blockType{expectBlock},
}

var scoreBlock = &blockType{
	name: "score", label: identifier, doc: "a scheduled scoring: one job, for ever",
	attrs: []attr{
		{name: "notebook", kind: text, check: notebookName, doc: "what scores; it or job is needed where there is an artifact block"},
		{name: "compute", kind: reference, ref: "compute", doc: "on what (serverless)"},
		{name: "parameters", kind: table, check: parameterName, doc: "more widgets for the notebook"},
		{name: "job", kind: text, check: repositoryPath, doc: "the file of the job's settings, as JSON, in place of notebook, compute and parameters"},
		{name: "schedule", kind: object, such: `{ cron = "0 0 2 * * ?", timezone = "Europe/London" }`, doc: "when it runs (by hand alone)", fields: []attr{
			{name: "cron", kind: text, required: true, check: quartz},
			{name: "timezone", kind: text, required: true, check: timezone},
		}},
		{name: "run_as", kind: text, check: runner, doc: "as whom (as whoever made the job)"},
		{name: "first_run", kind: text, part: rule, oneOf: []string{"now", "scheduled"}, doc: "whether the first run decides that a release is proven (now)"},
		{name: "on_failure", kind: text, part: rule, oneOf: []string{"rollback", "keep"}, doc: "what a bad first run does (rollback)"},
		{name: "timeout", kind: duration, doc: "how long it may take (2h)"},
		{name: "retries", kind: number, doc: "how often a first run that errored is run again (0)"},
		{name: "pipeline", kind: text, later: true},
		{name: "shadow", kind: text, later: true},
	},
	blocks: []*blockType{expectBlock},
}

// called is a block as people speak of it: gate "test-model".
func (t *blockType) called(label string) string {
	if t.label == noLabel {
		return t.name
	}
	return t.name + ` "` + label + `"`
}

func (t *blockType) attr(name string) *attr {
	return find(t.attrs, func(a *attr) string { return a.name }, name)
}

func (t *blockType) block(name string) *blockType {
	for _, b := range t.blocks {
		if b.name == name {
			return b
		}
	}
	return nil
}

// names are what may stand in the block: attributes and blocks, but what is not supported yet.
func (t *blockType) names() (attrs, blocks []string) {
	for _, a := range t.attrs {
		if !a.later {
			attrs = append(attrs, a.name)
		}
	}
	for _, b := range t.blocks {
		if !b.later {
			blocks = append(blocks, b.name)
		}
	}
	return attrs, blocks
}

// formOf is form, with the label that was maybe meant by expr.
func (t *blockType) formOf(expr hclsyntax.Expression) string {
	if v, diags := expr.Value(nil); t.label == identifier && !diags.HasErrors() && v.IsWhollyKnown() && !v.IsNull() && v.Type() == cty.String &&
		hclsyntax.ValidIdentifier(v.AsString()) {
		return t.name + ` "` + v.AsString() + `" { … }`
	}
	return t.form()
}

// form is how a block of that type begins, for hints.
func (t *blockType) form() string {
	if t.label == noLabel {
		return t.name + " { … }"
	}
	return t.name + ` "NAME" { … }`
}
