package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// kinds are the kinds of credentials: the members of the union of a method.
func kinds(t *testing.T) []string {
	t.Helper()
	var out []string
	method := reflect.TypeFor[v1alpha1.Method]()
	for i := range method.NumField() {
		if f := method.Field(i); f.Type.Kind() == reflect.Pointer {
			out = append(out, f.Name)
		}
	}
	if len(out) < 4 {
		t.Fatalf("only %v were found", out)
	}
	return out
}

// A new kind is a member of the union, a file in authn and a case in the engine;
// what its fields must be is a rule in validate. Whoever else asks for a kind
// would have to be found by the next one who adds one.
func TestAKindOfCredentialIsKnownInOneFileAndOneCase(t *testing.T) {
	all := kinds(t)
	compiled := map[string]bool{}
	for pkg := range imports(t) {
		if strings.HasPrefix(pkg, "api/") {
			continue
		}
		files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pkg, err)
		}
		for _, path := range files {
			file := filepath.Base(path)
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, kind := range kindsIn(t, path, all) {
				compiled[kind] = compiled[kind] || pkg+"/"+file == "authz/engine/methods.go"
				mine := pkg == "authz/authn" && file == strings.ToLower(kind)+".go"
				structField := pkg == "authz/manifest" && kind == "Anonymous" // of package reflect
				if !mine && !structField && pkg+"/"+file != "authz/engine/methods.go" && pkg != "authz/validate" {
					t.Errorf("%s/%s knows the kind %s", pkg, file, kind)
				}
			}
		}
	}
	for _, kind := range all {
		if !compiled[kind] {
			t.Errorf("the kind %s has no case in authz/engine/methods.go", kind)
		}
	}
}

// kindsIn are the kinds that a file speaks of: as a type of authn or of the API,
// as a member of the union, or as a type that it declares.
func kindsIn(t *testing.T, path string, all []string) (found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	enter := func(name string) {
		if slices.Contains(all, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			enter(n.Sel.Name)
		case *ast.TypeSpec:
			enter(n.Name.Name)
		}
		return true
	})
	return found
}
