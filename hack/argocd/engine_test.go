package argocd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// scriptTimeout ends a script that goes on without end. Argo CD gives it a second; a busy machine may need more.
const scriptTimeout = time.Minute

// run runs a script as Argo CD does by default: with the libraries base, package and table, and of os what cannot do
// harm; string and math are closed. It returns the table that the script returns.
func run(t *testing.T, script string, object any) (any, error) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable},
		{lua.OsLibName, lua.OpenOs},
	} {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		state.Call(1, 0)
	}
	restrictOS(state)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return fromLua(returned), nil
}

// restrictOS leaves of the library os what cannot do harm, and that only to those who require it.
func restrictOS(state *lua.LState) {
	library := state.GetGlobal(lua.OsLibName).(*lua.LTable)
	var names []string
	library.ForEach(func(name, _ lua.LValue) { names = append(names, name.String()) })
	for _, name := range names {
		if name != "date" && name != "time" {
			library.RawSetString(name, lua.LNil)
		}
	}
	state.SetGlobal(lua.OsLibName, lua.LNil)
}

// toLua turns what YAML holds into what a script sees. A null is as good as absent.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua turns what a script returns into what YAML holds. An empty table comes back as a list, as in Argo CD.
func fromLua(value lua.LValue) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		if value.Len() > 0 || isEmpty(value) {
			list := make([]any, 0, value.Len())
			value.ForEach(func(_, item lua.LValue) { list = append(list, fromLua(item)) })
			return list
		}
		fields := map[string]any{}
		value.ForEach(func(key, item lua.LValue) { fields[key.String()] = fromLua(item) })
		return fields
	}
	return nil
}

func isEmpty(table *lua.LTable) bool {
	key, _ := table.Next(lua.LNil)
	return key == lua.LNil
}
