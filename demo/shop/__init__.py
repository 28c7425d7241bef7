"""What the shop's services do. One module per team, as it were."""
