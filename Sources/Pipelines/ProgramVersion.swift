/// The version of this program, as recorded in runs and reports.
public let programVersion = "0.2.0"
