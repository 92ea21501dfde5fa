// Package topic is publish and subscribe between processes.
package topic
