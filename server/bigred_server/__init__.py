"""The deploy server: arms, rolls a release over the fleet, keeps the journal."""
