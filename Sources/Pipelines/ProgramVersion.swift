/// The version of this program, which runs and reports name.
public let programVersion = "0.2.0"
