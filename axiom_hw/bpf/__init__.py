"""The machine: instructions, objects, maps, the verifier and the engines. Knows no hardware."""
