import ArgumentParser

/// `twinflow data`
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Shows what training data hold.",
    subcommands: [InspectData.self])
}
