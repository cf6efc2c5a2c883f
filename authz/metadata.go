package authz

// Metadata is the proxy's dynamic metadata by namespace. It is read where an
// expression asks for it: few do, and every check may carry some.
type Metadata interface {
	// Map returns values of JSON by namespace, as [Decision.Metadata] has them.
	// An error says that the metadata cannot be read, and holds none of it.
	Map() (map[string]any, error)
}

// MetadataMap is metadata that was read.
type MetadataMap map[string]any

// Map implements [Metadata].
func (m MetadataMap) Map() (map[string]any, error) { return m, nil }

// ReadMetadata reads metadata; nil has none.
func ReadMetadata(m Metadata) (map[string]any, error) {
	if m == nil {
		return nil, nil
	}
	return m.Map()
}
