package expr

import (
	"cel.dev/cel-go/common/types"

	"github.com/agentauth-dev/agentauth/authz/mcp"
)

// mcpName is the variable of the call of a server of MCP.
const mcpName = "mcp"

var mcpType = types.NewObjectType("MCP")

// call is the call of an Input. It is the Input itself, like request.
type call Input

var mcpFields = fields{
	"method": mcpText("method", func(c *mcp.Call) string { return c.Method }),
	"id":     mcpText("id", func(c *mcp.Call) string { return c.ID }),
	"tool":   mcpText("tool", func(c *mcp.Call) string { return c.Tool }),
	"prompt": mcpText("prompt", func(c *mcp.Call) string { return c.Prompt }),
	"resource": field("mcp.resource", types.StringType,
		func(c *call) bool { return len(c.MCP.Resources) > 0 },
		func(c *call) (any, error) {
			switch list := c.MCP.Resources; len(list) {
			case 0:
				return types.String(""), nil
			case 1:
				return types.String(list[0]), within("mcp.resource", len(list[0]), MaxValue)
			default:
				return nil, failure("the call names more than one resource: an entry of mcp.resources is asked of each")
			}
		}),
	"arguments": field("mcp.arguments", anyMap,
		func(c *call) bool { return c.MCP.HasArguments() },
		func(c *call) (any, error) {
			arguments, err := c.MCP.Arguments()
			if err != nil {
				return nil, failure("mcp.arguments cannot be read: " + err.Error())
			}
			return arguments, nil
		}),
}

func mcpText(name string, get func(*mcp.Call) string) *types.FieldType {
	return text("mcp."+name, MaxValue, func(c *call) (string, *cache) { return get(c.MCP), c.cache })
}

// ReadsMCP says whether the expression reads the call of a server of MCP, which only
// a policy of one has.
func (p *Program) ReadsMCP() bool { return p != nil && p.mcp }

// ReadsArguments says whether the expression may read the arguments of the call.
func (p *Program) ReadsArguments() bool { return p.ReadsMCP() && p.arguments }
