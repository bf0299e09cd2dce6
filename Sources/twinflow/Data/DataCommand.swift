import ArgumentParser

/// `twinflow data`
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Shows what training data hold, and makes scenes of emoji.",
    subcommands: [InspectData.self, EmojiScenes.self])
}
