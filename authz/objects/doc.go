// Package objects holds the Secrets and ConfigMaps that policies refer to.
//
// A [View] is what is there for one compile: it finds objects by name and, for API
// keys, by labels, and says by reference grants who may refer to them. A View is
// made from the one before it, and shares with it whatever did not change.
//
// A [Store] outlives views. It parses an entry once for as long as anything holds
// what it was parsed to, however many methods, policies and compiles ask for it.
// Neither a Store nor a View that was let go of ([View.Kept]) holds the content
// of an object.
package objects
