import ArgumentParser

/// `twinflow models`
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "Shows what weights hold, and writes them in fewer bits.",
    subcommands: [InspectModels.self, QuantizeModel.self])
}
